"""DeiT: a Vision Transformer with a second token, which answers to a teacher. Taught in chapter 06.

Touvron et al., Training data-efficient image transformers and distillation through attention (ICML
2021, 2012.12877), section 4.
"""

import torch
from torch import nn

from tutorial_lib.layers.positions import table
from tutorial_lib.models.backbones import vit
from tutorial_lib.models.backbones.vit import ViT


class DeiT(ViT):
    """A ViT with a distillation token between the class token and the patches, and a second head.

    The arguments are those of `ViT`. `class_token` learns from the label and `distillation_token`
    from the teacher; `head` reads the one, `distillation_head` the other.
    """

    def __init__(self, *sizes, **named_sizes):
        super().__init__(*sizes, **named_sizes)
        classes, dim = self.head.weight.shape
        self.distillation_token = table(1, dim)
        self.distillation_position = table(1, dim)
        self.distillation_head = nn.Linear(dim, classes)

    def forward(self, images):
        """images (B, channels, H, W)  ->  logits of the class token and of the distillation token,
        (B, classes) each"""
        z = self.features(images)  # (B, 2 + n, dim)
        return self.head(z[:, 0]), self.distillation_head(z[:, 1])

    def predict(self, images):
        """images (B, channels, H, W)  ->  logits (B, classes), the mean of both heads'"""
        by_label, by_teacher = self(images)
        return (by_label + by_teacher) / 2

    def tokens(self, images):
        """What the encoder reads: images (B, channels, H, W)  ->  (B, 2 + n, dim), class token,
        distillation token, patches."""
        x = super().tokens(images)  # (B, 1 + n, dim)
        second = self.distillation_token + self.distillation_position  # (1, dim)
        return torch.cat([x[:, :1], second.expand(x.shape[0], 1, -1), x[:, 1:]], dim=1)

    def tokens_by_layer(self, images):
        """What goes into each layer and what comes out of the last: images (B, channels, H, W)
        ->  list of depth + 1 tensors (B, 2 + n, dim)"""
        found = [self.tokens(images)]
        for layer in self.encoder:
            found.append(layer(found[-1]))
        return found


def token_similarity(layers):
    """How alike the class token and the distillation token are, from layer to layer.

    layers  a list of tensors (B, 2 + n, D), the tokens that go into each layer and come out of the
            last; the class token stands at place 0, the distillation token at place 1
    ->  tensor (len(layers),): the cosine of the two, a mean over the B pictures

    cos(a, b) = a · b / (‖a‖ ‖b‖), one number for each picture. No token is zero.
    """
    found = []
    for x in layers:
        a, b = x[:, 0], x[:, 1]  # (B, D) each
        lengths = a.norm(dim=-1) * b.norm(dim=-1)
        cosine = (a * b).sum(dim=-1) / lengths  # (B,)
        found.append(cosine.mean())
    return torch.stack(found)


# The first word of a name in Hugging Face's DeiT, and of the same weight's in their ViT.
AS_IN_VIT = {"deit": "vit", "cls_classifier": "classifier"}


def from_huggingface(state):
    """The weights of Hugging Face's DeiTForImageClassificationWithTeacher, such as the checkpoint
    facebook/deit-base-distilled-patch16-224, in the names and shapes of `DeiT`.

    state  dict of tensors by name  ->  dict of the same tensors by our names, for `load_state_dict`

    Raises ValueError for a name that belongs to no part of `DeiT`, KeyError for a token that is
    missing; `load_state_dict` itself raises for any other missing name.
    """
    rest = dict(state)
    token = rest.pop("deit.embeddings.distillation_token")  # (1, 1, dim)
    positions = rest.pop("deit.embeddings.position_embeddings")  # (1, 2 + n, dim)
    found = {"distillation_token": token[0], "distillation_position": positions[0, 1:2]}
    rest["deit.embeddings.position_embeddings"] = positions[:, [0, *range(2, positions.shape[1])]]
    for name in list(rest):
        head, _, parameter = name.rpartition(".")
        if head == "distillation_classifier":
            found[f"distillation_head.{parameter}"] = rest.pop(name)
    for name, tensor in rest.items():  # what is left are a ViT's weights, under another first word
        first, _, others = name.partition(".")
        try:
            found |= vit.from_huggingface({f"{AS_IN_VIT[first]}.{others}": tensor})
        except (KeyError, ValueError):
            raise ValueError(
                f"{name!r} is no weight of Hugging Face's DeiTForImageClassificationWithTeacher"
            ) from None
    return found
