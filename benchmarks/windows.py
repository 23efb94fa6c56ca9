"""Swin and its kin beside public code: `python -m benchmarks.windows [--only NAME] [--quick]`.

How it is measured: `benchmarks/side_by_side.py`. Swin meets Hugging Face's and timm's, TNT and
Twins timm's. No package computes what CAT, RegionViT, CSWin, Shuffle and MSG do; they are measured
alone. Writes results/windows-<device>.json.
"""

import torch
from transformers import SwinConfig, SwinForImageClassification

from benchmarks import peers, side_by_side
from benchmarks.side_by_side import Contest, Logits, stirred
from tutorial_lib.models.backbones.cat import CAT
from tutorial_lib.models.backbones.cswin import CSWin
from tutorial_lib.models.backbones.msg import MSG
from tutorial_lib.models.backbones.regionvit import RegionViT
from tutorial_lib.models.backbones.shuffle import Shuffle
from tutorial_lib.models.backbones.swin import Swin, from_huggingface
from tutorial_lib.models.backbones.tnt import TNT
from tutorial_lib.models.backbones.twins import Twins

# Of all but TNT and Swin-T: grey pictures of 56 pixels, or of 28 in a quick run.
STAGES = dict(depths=(2, 2), heads=(2, 4))
DIM, DIMS = STAGES | {"dim": 48}, STAGES | {"dims": (48, 96)}


def pictures(device, quick, channels=1, side=56, few=False):
    """Images for a model: two in a quick run, 8 or a few on a CPU, 128 elsewhere."""
    batch = 2 if quick else 128 if device.type != "cpu" else 2 if few else 8
    return (torch.randn(batch, channels, 28 if quick else side, 28 if quick else side),)


def swin_pair(side, patch, channels, classes, dim, depths, heads):
    """Hugging Face's Swin, freshly initialised, and ours with its weights."""
    config = SwinConfig(
        image_size=side,
        patch_size=patch,
        window_size=7,
        num_channels=channels,
        num_labels=classes,
        embed_dim=dim,
        depths=depths,
        num_heads=heads,
        drop_path_rate=0.0,
        attn_implementation="sdpa",
    )
    theirs = stirred(SwinForImageClassification(config))
    ours = Swin(patch, 7, channels, classes, dim, depths, heads)
    ours.load_state_dict(from_huggingface(theirs.state_dict()))
    return ours, theirs


def swin(device, quick):
    """A small one."""
    images = pictures(device, quick)
    return swin_contest(images, 2, 1, 10, 48, **STAGES)


def swin_t(device, quick):
    """That of the paper, on pictures of 224 pixels."""
    if quick:
        return swin_contest(pictures(device, quick, 3), 2, 3, 10, 24, **STAGES)
    images = pictures(device, quick, 3, 224, few=True)
    return swin_contest(images, 4, 3, 1000, 96, (2, 2, 6, 2), (3, 6, 12, 24))


def swin_contest(images, *sizes, **more):
    ours, theirs = swin_pair(images[0].shape[-1], *sizes, **more)
    contest = Contest({"ours": ours, "Hugging Face": Logits(theirs)}, images)
    return contest.beside("timm", lambda: peers.timm_swin(ours, images[0].shape[-1]))


def tnt(device, quick):
    """With the paper's patches of 16 pixel tokens; narrower than its TNT-S on a CPU."""
    paper = dict(dim=384, depth=12, heads=6, hidden=1536, inner_dim=24, inner_heads=4)
    small = dict(dim=96, depth=4, heads=4, hidden=384, inner_dim=12, inner_heads=2)
    side, sizes = (224, paper) if device.type != "cpu" else (32 if quick else 112, small)
    ours = stirred(TNT(side, 16, 3, 10, stride=4, **sizes))
    images = (torch.randn(len(pictures(device, quick)[0]), 3, side, side),)
    return Contest({"ours": ours}, images).beside("timm", lambda: peers.timm_tnt(ours, side))


def twins(device, quick):
    ours = stirred(Twins(1, 10, 2, summary=(2, 1), windows=(7, 7), ratio=(4, 4), **DIMS))
    images = pictures(device, quick)
    side = images[0].shape[-1]
    return Contest({"ours": ours}, images).beside("timm", lambda: peers.timm_twins(ours, side))


def alone(make, *sizes, **more):
    """A contest of one."""
    return lambda device, quick: Contest({"ours": make(*sizes, **more)}, pictures(device, quick))


CONTESTS = {
    "Swin": swin,
    "Swin-T": swin_t,
    "TNT": tnt,
    "Twins-SVT": twins,
    "CAT": alone(CAT, 1, 10, 2, dim=48, patch=7, depths=(1, 1), heads=(2, 4)),
    "RegionViT": alone(RegionViT, 1, 10, 2, 7, **DIMS),
    "CSWin": alone(CSWin, 2, 1, 10, widths=(2, 7), **DIM),
    "Shuffle": alone(Shuffle, 2, 7, 1, 10, **DIM),
    "MSG": alone(MSG, 2, 7, 1, 10, regions=(2, 1), **DIM),
}


if __name__ == "__main__":
    side_by_side.run("windows", CONTESTS)
