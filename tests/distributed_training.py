"""A training that `test_training.py` runs in one process and, under torchrun, in two."""

import os
import sys

import torch
from torch import nn

from tutorial_lib.training.loop import train


def make_model():
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(5, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 2))


class WithAnUnusedHead(nn.Module):
    """Some weights that no loss asks for."""

    def __init__(self):
        super().__init__()
        self.used, self.unused = make_model(), nn.Linear(3, 3)

    def forward(self, x):
        return self.used(x)


def draw(generator):
    return torch.randn(6, 5, generator=generator), torch.randn(6, 2, generator=generator)


def loss_of(model, x, y):
    return (model(x) - y).square().mean()


def run(checkpoint=None):
    """Everything that should not depend on the number of processes."""
    model = WithAnUnusedHead()
    losses = train(model, draw, loss_of, steps=12, lr=0.01, warmup=3, checkpoint=checkpoint)
    gradients = {name: p.grad for name, p in model.used.named_parameters()}
    return {"losses": losses, "weights": model.state_dict(), "gradients": gradients}


def refusal():
    """What the training says to a batch of 5, or nothing."""
    try:
        train(make_model(), lambda g: [x[:5] for x in draw(g)], loss_of, steps=1, lr=0.01)
    except ValueError as error:
        return str(error)


if __name__ == "__main__":
    folder, rank = sys.argv[1], os.environ["RANK"]
    result = run(f"{folder}/checkpoint") | {"refusal": refusal()}
    torch.save(result, f"{folder}/{rank}")
