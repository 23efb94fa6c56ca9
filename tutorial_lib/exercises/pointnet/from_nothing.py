"""A PointNet built from nothing."""

import torch

from tutorial_lib.checking.from_nothing import FromNothing
from tutorial_lib.data.furniture import furniture
from tutorial_lib.notebook.claims import steps


def any_order(model):
    """Whether shuffling the points of each cloud leaves the logits as they are."""
    clouds, _ = furniture("test", 100)
    shuffled = clouds[:4, torch.randperm(100, generator=torch.Generator().manual_seed(0))]
    return torch.allclose(model(clouds[:4]), model(shuffled), atol=1e-4)


def any_number(model):
    """Whether clouds of other sizes go in."""
    clouds, _ = furniture("test", 60)
    return all(model(clouds[:4, :count]).shape == (4, 10) for count in (1, 7, 60))


def doubled_point(model):
    """Whether points that are there twice change nothing."""
    clouds, _ = furniture("test", 60)
    doubled = torch.cat([clouds[:4], clouds[:4, :7]], dim=1)
    return torch.allclose(model(clouds[:4]), model(doubled), atol=1e-4)


def each_alone(model):
    """Whether a cloud's logits stay when other clouds are in the batch."""
    clouds, _ = furniture("test", 100)
    return torch.allclose(model(clouds[:4])[:1], model(clouds[:1]), atol=1e-4)


def unseen(model):
    clouds, labels = furniture("test")
    return (model(clouds).argmax(-1) == labels).float().mean().item()


def pointnet_from_nothing():
    """Build a PointNet from an empty cell and train it on `furniture("train", 128)`: clouds
    (242, 128, 3) of 128 points each, labels (242,) in 0 … 9. It takes clouds of any number of
    points (B, N, 3) and gives logits (B, 10), has 3,000 to 400,000 parameters, and is right for at
    least 60 % of the 79 test clouds, which you do not see. Neither the order of the points nor a
    point that is there twice changes its answer. Fifteen seconds of training are enough. How you
    build it is yours."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    from tutorial_lib.data.furniture import furniture

    class FromNothing(nn.Module):
        def __init__(self):
            super().__init__()
            self.point = nn.Sequential(
                nn.Linear(3, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 128)
            )
            self.cloud = nn.Sequential(
                nn.Linear(128, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 10)
            )

        def forward(self, clouds):
            return self.cloud(self.point(clouds).amax(dim=1))

    torch.manual_seed(0)
    built, (clouds, labels) = FromNothing(), furniture("train", 128)
    optimizer = torch.optim.AdamW(built.parameters(), lr=4e-3)
    for _ in range(steps(200)):
        chosen = torch.randint(len(clouds), (32,))
        loss = F.cross_entropy(built(clouds[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return built


pointnet_from_nothing = FromNothing(
    pointnet_from_nothing,
    minutes=30,
    shapes=(torch.zeros(2, 100, 3), (2, 10)),
    parameters=(3_000, 400_000),
    properties={
        "the order of the points does not matter": any_order,
        "any number of points goes in": any_number,
        "a point that is there twice changes nothing": doubled_point,
        "each cloud is judged alone": each_alone,
    },
    accuracy=unseen,
    wanted=0.6,
)
