"""A reader of digits built from nothing."""

import torch

from tutorial_lib.checking.from_nothing import FromNothing
from tutorial_lib.data.digits import digits


@torch.no_grad()
def accuracy_on_test(model) -> float:
    images, labels = digits("test")
    return (model(images).argmax(dim=1) == labels).float().mean().item()


@torch.no_grad()
def bends(model) -> bool:
    """Whether the scores are no straight line along the way from one picture to another."""
    a, b = digits("test")[0][:2]
    scores = model(torch.stack([a, b, (a + b) / 2]))
    return not torch.allclose(scores[2], scores[:2].mean(dim=0), atol=1e-3)


def digits_from_nothing():
    """Build a model from an empty cell and train it on `digits("train")`: images (1415, 8, 8),
    labels (1415,). It takes images (B, 8, 8) and gives scores (B, 10), has 1,000 to 20,000
    parameters, is no mere linear map, and is right for at least 85 % of the test digits, which
    other people wrote. A second of training is enough."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    torch.manual_seed(0)
    built = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    images, labels = digits("train")
    optimizer = torch.optim.Adam(built.parameters(), lr=1e-2)
    for _ in range(200):
        chosen = torch.randint(len(images), (64,))
        loss = F.cross_entropy(built(images[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return built


digits_from_nothing = FromNothing(
    digits_from_nothing,
    minutes=10,
    shapes=(torch.zeros(2, 8, 8), (2, 10)),
    parameters=(1_000, 20_000),
    properties={"the scores are no mere linear map of the pixels": bends},
    accuracy=accuracy_on_test,
    wanted=0.85,
)
