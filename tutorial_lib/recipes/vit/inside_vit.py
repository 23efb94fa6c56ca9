"""What trainings of one ViT have in common: attention, positions, filters, and moved pictures.

Taught in chapter 05, after Dosovitskiy et al., An Image is Worth 16x16 Words (ICLR 2021,
2010.11929), section 4.5. The chapter looks into the shipped checkpoint, which is seed 0 of
`recipes.vit`; here are its siblings of other seeds, and the same model on 200 pictures. Measure
again, a quarter of an hour on one core:

    python -m tutorial_lib.recipes.vit.inside_vit [--out FILE]
"""

import numpy as np
import torch
import torch.nn.functional as F

from tutorial_lib.data.fashion_mnist import fashion_mnist
from tutorial_lib.layers.rollout import attention_distance, attention_rollout
from tutorial_lib.measuring.records import record
from tutorial_lib.recipes.vit.data_size import BATCH, accuracy, pictures
from tutorial_lib.recipes.vit.vit import COUNT, STEPS, fresh, learn

FEW, STEPS_ON_FEW, SEEDS = 200, 300, range(3)


def moved(images, pixels):
    """Pictures (B, C, H, W) moved to the right and down, background behind them"""
    height, width = images.shape[-2:]
    moved = F.pad(images, (pixels, 0, pixels, 0), value=images.min().item())
    return moved[..., :height, :width]


def share_on_cloth(model):
    """How much of what the class token is made of comes from patches that show clothes"""
    images = pictures("test", 200)[0]
    weights = attention_rollout(model.weights(images))[:, 0, 1:]  # (200, 49)
    # cloth() says which patches show clothes: (200, 49)
    return ((weights * cloth()).sum(1) / weights.sum(1)).mean().item()


def cloth():
    """Which patches show clothes: bool (200, 49)"""
    grey = fashion_mnist("test", 200)[0]
    return F.avg_pool2d(grey[:, None], 4).flatten(1) > 0.02


def distances(model):
    """How far each head looks, in patches: (depth, heads)"""
    weights = model.weights(pictures("test", 200)[0])
    return np.array([attention_distance(w, (7, 7)).numpy() for w in weights])


def similarity(model):
    """Cosines between the positions of the 49 patches: (49, 49)"""
    places = F.normalize(model.positions.table.data[1:])
    return (places @ places.T).numpy()


def steps_apart():
    """The distance of any two of the 49 places, in patches: (49, 49)"""
    place = np.stack(np.divmod(np.arange(49), 7), axis=1)  # row and column of each patch
    return np.linalg.norm(place[:, None] - place, axis=-1)


def neighbours_first(model):
    """The share of places whose most similar other place is one of the up to 8 around it"""
    others = similarity(model) - 9 * np.eye(49)
    return float((steps_apart()[np.arange(49), others.argmax(axis=1)] < 1.5).mean())


def filters(model):
    """What the features of a token look for, one a row: (64, 16)"""
    return model.embed.project.weight.data.flatten(1)


def smoothness(filters):
    """The correlation of pixels side by side or on top of each other; of noise it is 0"""
    f = filters.view(-1, 4, 4)
    first = torch.cat([f[:, :, 1:].flatten(), f[:, 1:].flatten()])
    second = torch.cat([f[:, :, :-1].flatten(), f[:, :-1].flatten()])
    return torch.corrcoef(torch.stack([first, second]))[0, 1].item()


def inside(model, start):
    """All figures of a trained model; `start` is what it was before."""
    added = filters(model) - filters(start)
    both = torch.stack([filters(model).flatten(), filters(start).flatten()])
    images, names = pictures("test", 500)
    return {
        "accuracy_moved": [accuracy(model, moved(images, far), names) for far in range(4)],
        "cloth": share_on_cloth(model),
        "cloth_before": share_on_cloth(start),
        "distances": distances(model).tolist(),
        "distances_before": distances(start).tolist(),
        "neighbours": neighbours_first(model),
        "neighbours_before": neighbours_first(start),
        "smoothness": smoothness(filters(model)),
        "smoothness_added": smoothness(added),
        "correlation_with_start": torch.corrcoef(both)[0, 1].item(),
    }


def measure(row):
    """One row of the record, in a process of its own."""
    model = learn(row["count"], row["steps"], row["seed"])
    return row | inside(model, fresh(row["seed"]))


def plan():
    large = [(COUNT, STEPS, seed) for seed in SEEDS if seed]  # seed 0 is the shipped checkpoint
    few = [(FEW, STEPS_ON_FEW, seed) for seed in SEEDS]
    return [dict(zip(("count", "steps", "seed"), setting)) for setting in few + large]


if __name__ == "__main__":
    record("inside-vit", plan(), measure, batch=BATCH)
