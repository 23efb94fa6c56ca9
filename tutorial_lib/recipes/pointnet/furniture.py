"""A small PointNet that tells ten kinds of furniture apart: the recipe of its checkpoint, and what
the other recipes of this folder share.

Taught in chapter 19, after Qi et al., PointNet (CVPR 2017, 1612.00593). Train again, half a minute:

    python -m tutorial_lib.recipes.pointnet.furniture --out FILE

The models of the training set are few, so they are varied: each time other points of a cloud, wider
or flatter by up to a fifth along each axis, and every second one as in a mirror.
"""

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F

from tutorial_lib.data.furniture import NAMES, furniture
from tutorial_lib.data.point_clouds import drop_points, random_rotations, rotate
from tutorial_lib.models.pose.pointnet import PointNet
from tutorial_lib.recipes import shipped
from tutorial_lib.training.loop import train

SHIPPED = Path(__file__).parent / "furniture.safetensors"

# What a learner trains in some seconds, 300 steps; the checkpoint is wider and trains longer.
SMALL = dict(widths=(32, 64, 128), hidden=(64,), dropout=0.3)
LARGE = dict(widths=(64, 128, 512), hidden=(128,), dropout=0.3)
POINTS, BATCH, STEPS, LR = 128, 32, 300, 4e-3  # POINTS of a cloud in training; all in the test


def draw(clouds, labels, turn=None, points=POINTS, batch=BATCH):
    """A function for `train`: varied clouds (batch, points, 3) and their labels.

    turn  None: as they stand; "vertical" or "any": turned at random, as in `random_rotations`
    """
    missing = 1 - points / clouds.shape[1]

    def make(generator):
        chosen = torch.randint(len(clouds), (batch,), generator=generator)
        x = drop_points(clouds[chosen], missing, generator)
        stretch = 0.8 + 0.4 * torch.rand(batch, 1, 3, generator=generator)
        stretch[:, :, 0] *= 1 - 2 * torch.randint(2, (batch, 1), generator=generator)  # a mirror
        x = x * stretch
        if turn is not None:
            x = rotate(x, random_rotations(batch, turn, generator))
        return x, labels[chosen]

    return make


def loss_of(model, clouds, labels):
    return F.cross_entropy(model(clouds), labels)


@torch.no_grad()
def answers(model, clouds):
    """The class that a model, put into testing mode, takes each cloud for: (n, N, 3)  ->  (n,)"""
    model.eval()
    device = next(model.parameters()).device
    return torch.cat([model(x.to(device)).argmax(-1).cpu() for x in clouds.split(32)])


def accuracy(model, clouds, labels):
    """The share of clouds that are told right."""
    return (answers(model, clouds) == labels).float().mean().item()


def schedule(steps, seed):
    """The arguments of `train`."""
    return dict(steps=steps, lr=LR, warmup=steps // 10, seed=seed)


def learn(model, seed, steps=STEPS, turn=None, loss=loss_of, label="furniture"):
    """Train a fresh model in place on the training furniture; return it in testing mode."""
    train(model, draw(*furniture("train"), turn), loss, label=label, **schedule(steps, seed))
    return model.eval()


def fresh(seed, size=SMALL):
    """A PointNet before its training."""
    torch.manual_seed(seed)
    return PointNet(len(NAMES), **size)


def load(path: Path = SHIPPED) -> tuple[PointNet, dict[str, str]]:
    """A trained model of size LARGE, and what is recorded of its training."""
    return shipped.load(path, PointNet(len(NAMES), **LARGE))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="furniture", description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=2 * STEPS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=SHIPPED, help="the checkpoint to write")
    options = parser.parse_args(arguments)

    torch.set_num_threads(1)  # the matrices are small: more threads wait for each other
    model = learn(fresh(options.seed, LARGE), options.seed, options.steps)
    measured = accuracy(model, *furniture("test"))
    record = {"recipe": "tutorial_lib.recipes.pointnet.furniture", "batch": BATCH}
    record |= {"points": POINTS} | schedule(options.steps, options.seed)
    shipped.save(options.out, model, **record, accuracy=f"{measured:.4f}")
    print(f"{options.out}: {measured:.1%} of the test furniture told right")


if __name__ == "__main__":
    main()
