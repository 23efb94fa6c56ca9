"""What a grid costs: accuracy against the resolution of voxels, with their quantization error. A
record.

Taught in chapter 19, after Qi et al., PointNet (CVPR 2017, 1612.00593), section 2, and Maturana,
Scherer, VoxNet (IROS 2015). A PointNet reads points moved to the middle of their voxels, so that
nothing but the grid differs; a small 3-D CNN reads the grid itself. Measure again, minutes on one
core:

    python -m tutorial_lib.recipes.pointnet.voxels [--out FILE]
"""

from itertools import product

import torch
from torch import nn

from tutorial_lib.data.furniture import NAMES, furniture
from tutorial_lib.layers.voxels import quantization_error, quantized, voxelize
from tutorial_lib.measuring.records import record
from tutorial_lib.recipes.pointnet.furniture import STEPS, accuracy, draw, fresh, loss_of, schedule
from tutorial_lib.training.loop import train

SEEDS = range(3)
RESOLUTIONS = {"PointNet": (2, 4, 8, 16, None), "3-D CNN": (4, 8)}


class VoxelCNN(nn.Module):
    """Two convolutions and a maximum on each voxel's occupancy: grids (B, R, R, R)  ->  logits"""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv3d(1, 16, 3, padding=1), nn.BatchNorm3d(16), nn.ReLU(), nn.MaxPool3d(2),
            nn.Conv3d(16, 32, 3, padding=1), nn.BatchNorm3d(32), nn.ReLU(), nn.AdaptiveMaxPool3d(2),
            nn.Flatten(), nn.Dropout(0.3), nn.Linear(256, len(NAMES)),
        )  # fmt: skip

    def forward(self, grids):
        return self.layers(grids[:, None])


def seen(row, clouds):
    """What the model of a row gets to see of clouds."""
    if row["resolution"] is None:
        return clouds
    return (voxelize if row["model"] == "3-D CNN" else quantized)(clouds, row["resolution"])


def measure(row):
    """One row of the record, in a process of its own."""
    model = fresh(row["seed"])
    if row["model"] == "3-D CNN":
        torch.manual_seed(row["seed"])
        model = VoxelCNN()
    points = draw(*furniture("train"), points=512 if row["model"] == "3-D CNN" else 128)

    def batches(generator):
        clouds, labels = points(generator)
        return seen(row, clouds), labels

    train(model, batches, loss_of, label=row["model"], **schedule(STEPS, row["seed"]))
    clouds, labels = furniture("test")
    error = row["resolution"] and quantization_error(clouds, row["resolution"])
    return row | {
        "parameters": sum(p.numel() for p in model.parameters()),
        "quantization_error": error or 0.0,
        "accuracy": accuracy(model, seen(row, clouds), labels),
    }


def plan():
    settings = [s for model in RESOLUTIONS for s in product((model,), RESOLUTIONS[model], SEEDS)]
    return [dict(zip(("model", "resolution", "seed"), setting)) for setting in settings]


if __name__ == "__main__":
    record("voxels", plan(), measure, steps=STEPS)
