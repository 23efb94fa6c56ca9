"""How much of its attention a class token pays to the thing in a photograph: a pretrained ViT, and
one of its shape with random weights.

Taught in chapter 05, after Caron et al., Emerging Properties in Self-Supervised Vision Transformers
(ICCV 2021, 2104.14294), section 4.2, who compare attention with masks. Measure again, in a minute,
after `python -m tutorial_lib pretrained` and the command that `tutorial_lib/data/stamps.py` names:

    python -m tutorial_lib.recipes.vit.on_object [--out FILE]
"""

from itertools import product

import numpy as np
import torch
import torch.nn.functional as F

from tutorial_lib.data.photos import photo
from tutorial_lib.data.stamps import stamps
from tutorial_lib.measuring.records import record
from tutorial_lib.recipes.vit.few_shot import model_of
from tutorial_lib.recipes.vit.looking import prepare

BACKGROUNDS = ("grass", "gravel", "brick")
SIDE, STAMP, PATCH = 224, 112, 14  # pixels
EVERY = 7  # of the stamps: 33, of all classes


def scenes(background: str):
    """Stamps on a background, each somewhere else, so that no habit of looking at the middle helps.

    ->  images (33, 3, 224, 224) as the model reads them; cover (33, 16, 16), the share of each
        patch that shows the thing
    """
    generator = torch.Generator().manual_seed(BACKGROUNDS.index(background))
    images, covers = [], []
    for stamp in stamps()[0][::EVERY]:
        stamp = torch.from_numpy(stamp).permute(2, 0, 1)[None].float() / 255
        stamp = F.interpolate(stamp, (STAMP, STAMP), mode="area")[0]
        top, left = torch.randint(SIDE - STAMP + 1, (2,), generator=generator).tolist()
        place = np.s_[:, top : top + STAMP, left : left + STAMP]
        opacity = torch.zeros(1, SIDE, SIDE)
        opacity[place] = stamp[3:]
        image = torch.from_numpy(photo(background)[:SIDE, :SIDE].copy()).permute(2, 0, 1)
        image[place] = stamp[3:] * stamp[:3] + (1 - stamp[3:]) * image[place]
        images.append(prepare(image.permute(1, 2, 0).numpy(), SIDE))
        covers.append(F.avg_pool2d(opacity, PATCH))
    return torch.cat(images), torch.cat(covers)


def shares(attention, cover):
    """The share of attention (B, g, g) that falls on what cover (B, g, g) says: a mean over B."""
    return ((attention * cover).sum((1, 2)) / attention.sum((1, 2))).mean().item()


def measure(row):
    """One row of the record, in a process of its own. `elsewhere` is the control: the same
    attention, on the place of another scene's thing."""
    images, cover = scenes(row["background"])
    layers = model_of(row["model"]).weights(images)  # each (B, heads, 1 + g², 1 + g²)
    attention = [w[:, :, 0, 1:].mean(1).unflatten(-1, cover.shape[1:]) for w in layers]
    return row | {
        "area": cover.mean().item(),
        "on_object": [shares(a, cover) for a in attention],
        "elsewhere": [shares(a, cover.roll(1, 0)) for a in attention],
    }


def plan():
    settings = product(("pretrained", "untrained"), BACKGROUNDS)
    return [dict(zip(("model", "background"), setting)) for setting in settings]


if __name__ == "__main__":
    record("on-object", plan(), measure)
