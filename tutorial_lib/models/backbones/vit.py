"""The Vision Transformer: patches as words. Taught in chapter 05.

Dosovitskiy et al., An Image is Worth 16x16 Words (ICLR 2021, 2010.11929). There is no dropout.
"""

import re

import torch
from torch import nn

from tutorial_lib.layers.patches import PatchEmbedding, interpolate_positions
from tutorial_lib.layers.positions import LearnedPositions, table
from tutorial_lib.layers.transformer import EncoderLayer


class ViT(nn.Module):
    """An encoder over the patches of an image and a class token, which the head reads.

    image_size, patch    pixels, the side of the square image and of a patch
    channels, classes    of the image; how many there are to choose from
    dim, heads, hidden   of every layer, as in EncoderLayer
    depth                layers
    eps                  of every LayerNorm; the paper's code has 1e-6, Hugging Face's default is
                         1e-12
    """

    def __init__(
        self,
        image_size: int,
        patch: int,
        channels: int,
        classes: int,
        dim: int,
        depth: int,
        heads: int,
        hidden: int,
        eps: float = 1e-6,
    ):
        super().__init__()
        if image_size % patch:
            raise ValueError(f"{image_size} pixels do not divide into patches of {patch}")
        side = image_size // patch
        self.grid = side, side
        self.embed = PatchEmbedding(channels, patch, dim)
        self.class_token = table(1, dim)
        self.positions = LearnedPositions(1 + side * side, dim)
        self.encoder = nn.ModuleList(
            EncoderLayer(dim, heads, hidden, eps=eps) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(dim, eps)
        self.head = nn.Linear(dim, classes)

    def forward(self, images):
        """images (B, channels, H, W)  ->  logits (B, classes)"""
        return self.head(self.features(images)[:, 0])

    def features(self, images):
        """images (B, channels, H, W)  ->  tokens (B, 1 + n, dim) after the last norm, class token
        first, then the patches row by row"""
        x = self.tokens(images)
        for layer in self.encoder:
            x = layer(x)
        return self.norm(x)

    def tokens(self, images):
        """What the encoder reads: images (B, channels, H, W)  ->  (B, 1 + n, dim). For an image of
        another size than the model's own the positions are interpolated (section 3.2 of the
        paper)."""
        positions, grid = self.positions(), self.embed.grid(images)
        if grid != self.grid:
            positions = interpolate_positions(positions, self.grid, grid)
        x = self.embed(images)  # (B, n, dim)
        first = self.class_token.expand(x.shape[0], 1, -1)  # (B, 1, dim)
        return torch.cat([first, x], dim=1) + positions

    @torch.no_grad()
    def weights(self, images):
        """The attention weights of every layer, first to last: a list of (B, heads, 1 + n, 1 + n),
        for `tutorial_lib.layers.rollout`."""
        x, found = self.tokens(images), []
        for layer in self.encoder:
            found.append(layer.attention.weights(layer.around_attention.norm(x)))
            x = layer(x)
        return found


# Modules of Hugging Face's ViTForImageClassification, and ours. A checkpoint's file has the names
# with `encoder.layer` and `attention.attention`; from version 5 a model in memory has the others.
OUTSIDE = {
    "vit.embeddings.cls_token": "class_token",
    "vit.embeddings.position_embeddings": "positions.table",
    "vit.embeddings.patch_embeddings.projection": "embed.project",
    "vit.layernorm": "norm",
    "classifier": "head",
}
IN_A_LAYER = {
    "layernorm_before": "around_attention.norm",
    "attention.attention.query": "attention.to_q",
    "attention.attention.key": "attention.to_k",
    "attention.attention.value": "attention.to_v",
    "attention.output.dense": "attention.to_out",
    "layernorm_after": "around_feed_forward.norm",
    "intermediate.dense": "feed_forward.up",
    "output.dense": "feed_forward.down",
    "attention.q_proj": "attention.to_q",
    "attention.k_proj": "attention.to_k",
    "attention.v_proj": "attention.to_v",
    "attention.o_proj": "attention.to_out",
    "mlp.fc1": "feed_forward.up",
    "mlp.fc2": "feed_forward.down",
}


def from_huggingface(state):
    """The weights of Hugging Face's ViTForImageClassification, such as the checkpoint
    google/vit-base-patch16-224, in the names and shapes of `ViT`, for `load_state_dict`.

    state  dict of tensors by name  ->  dict of the same tensors by our names

    Raises ValueError for a name that belongs to no part of `ViT`; `load_state_dict` itself raises
    for one that is missing.
    """
    # Class token and positions have an axis for the batch: (1, n, dim) to (n, dim).
    return {
        _our_name(name): tensor.flatten(0, 1) if tensor.ndim == 3 else tensor
        for name, tensor in state.items()
    }


def _our_name(name):
    module, _, parameter = name.rpartition(".")
    in_a_layer = re.fullmatch(r"vit\.(?:encoder\.layer|layers)\.(\d+)\.(.+)", module)
    if name in OUTSIDE:
        return OUTSIDE[name]
    if module in OUTSIDE:
        return f"{OUTSIDE[module]}.{parameter}"
    if in_a_layer and in_a_layer[2] in IN_A_LAYER:
        return f"encoder.{in_a_layer[1]}.{IN_A_LAYER[in_a_layer[2]]}.{parameter}"
    raise ValueError(f"{name!r} is no weight of Hugging Face's ViTForImageClassification")
