"""Our ViT and DeiT beside Hugging Face's, timm's and vit-pytorch's, with the same weights.

    python -m benchmarks.vit [--device cpu|cuda] [--quick] [--out FILE]

That writes the training step of one size: a small ViT on a CPU, ViT-B/16 on CUDA. How it is
measured: `benchmarks/side_by_side.py`. Writes results/vit-<device>.json.
"""

import torch
from torch import nn
from transformers import (
    DeiTConfig,
    DeiTForImageClassificationWithTeacher,
    ViTConfig,
    ViTForImageClassification,
)

from benchmarks import peers, side_by_side
from benchmarks.side_by_side import STEP, Contest, Logits, stirred
from tutorial_lib.models.backbones import deit, vit

TINY = dict(image_size=8, patch=4, channels=1, classes=3, dim=8, depth=1, heads=2, hidden=12)
SMALL = dict(image_size=28, patch=7, channels=1, classes=10, dim=64, depth=4, heads=4, hidden=128)
MIDDLE = dict(image_size=96, patch=16, channels=3, classes=10, dim=192, depth=6, heads=3)
LARGE = dict(image_size=224, patch=16, channels=3, classes=1000, depth=12)
TI, B = LARGE | dict(dim=192, heads=3, hidden=768), LARGE | dict(dim=768, heads=12, hidden=3072)
MIDDLE["hidden"] = 768


def configured(Config, size):
    """A configuration of Hugging Face's for sizes that are called as ours are."""
    return Config(
        image_size=size["image_size"],
        patch_size=size["patch"],
        num_channels=size["channels"],
        num_labels=size["classes"],
        hidden_size=size["dim"],
        num_hidden_layers=size["depth"],
        num_attention_heads=size["heads"],
        intermediate_size=size["hidden"],
        attn_implementation="sdpa",
    )


def without_biases(model):
    """Zeros for the biases of queries, keys and values, which vit-pytorch's ViT lacks."""
    for name, parameter in model.named_parameters():
        if name.endswith(("q_proj.bias", "k_proj.bias", "v_proj.bias")):
            nn.init.zeros_(parameter)
    return model


def pair(size):
    """Hugging Face's ViT, no weight at its start value, and ours with its weights."""
    config = configured(ViTConfig, size)
    theirs = without_biases(stirred(ViTForImageClassification(config)))
    ours = vit.ViT(eps=config.layer_norm_eps, **size)
    ours.load_state_dict(vit.from_huggingface(theirs.state_dict()))
    return ours, theirs


def images(size, batch):
    return (torch.randn(batch, size["channels"], *2 * [size["image_size"]]),)


def vit_of(size, batch, **more):
    """A contest of ViTs of this size."""
    ours, theirs = pair(size)
    methods = {"ours": ours, "Hugging Face": Logits(theirs)}
    contest = Contest(methods, images(size, batch), size=size | {"batch": batch}, **more)
    contest.beside("timm", lambda: peers.timm_vit(ours))
    return contest.beside("vit-pytorch", lambda: peers.vit_pytorch_vit(ours))


class TwoLogits(nn.Module):
    """Hugging Face's DeiT, which keeps both heads' answers beside their mean."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images):
        answer = self.model(images)
        return answer.cls_logits, answer.distillation_logits


def deit_of(size, batch):
    """A contest of DeiTs of this size."""
    config = configured(DeiTConfig, size)
    theirs = stirred(DeiTForImageClassificationWithTeacher(config))
    ours = deit.DeiT(eps=config.layer_norm_eps, **size)
    ours.load_state_dict(deit.from_huggingface(theirs.state_dict()))
    methods = {"ours": ours, "Hugging Face": TwoLogits(theirs)}
    contest = Contest(methods, images(size, batch), size=size | {"batch": batch})
    return contest.beside("timm", lambda: peers.timm_vit(ours))


def recorded(device, quick):
    """The contest that chapter 05 shows."""
    size, batch = (MIDDLE, 8) if device.type == "cpu" else (B, 64)
    return vit_of(TINY if quick else size, 2 if quick else batch, modes=(STEP,))


def sized(make, size, on_cpu, elsewhere):
    """A contest with batches of another size for a CPU than for other devices."""
    return lambda device, quick: (
        make(TINY, 2) if quick else make(size, on_cpu if device.type == "cpu" else elsewhere)
    )


CONTESTS = {
    "ViT, small": sized(vit_of, SMALL, 64, 1024),
    "ViT-Ti/16": sized(vit_of, TI, 4, 256),
    "DeiT-Ti/16": sized(deit_of, TI, 4, 256),
}


if __name__ == "__main__":
    side_by_side.run("vit", {"ViT": recorded})
