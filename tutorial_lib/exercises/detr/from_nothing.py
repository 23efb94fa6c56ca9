"""A detector built from nothing."""

import torch

from tutorial_lib.checking.from_nothing import FromNothing
from tutorial_lib.layers.boxes import cxcywh_to_xyxy
from tutorial_lib.notebook.claims import steps
from tutorial_lib.recipes.detr.small_scenes import small_scenes
from tutorial_lib.training.average_precision import average_precision


def each_alone(model):
    """Whether a picture's answers stay when other pictures are in the batch."""
    images, *_ = small_scenes("test", 4)
    return torch.allclose(model(images)[:1], model(images[:1]), atol=1e-4)


def within_bounds(model):
    """Whether boxes and scores lie between 0 and 1."""
    images, *_ = small_scenes("test", 4)
    out = model(images)
    return bool((out >= 0).all() and (out <= 1).all())


def found(model):
    """AP50 of garments of whatever kind, on scenes that the cell does not see."""
    images, classes, boxes = small_scenes("test", 300)
    out = model(images)  # (300, 5, 5)
    one_kind = torch.zeros(out.shape[:2], dtype=torch.int64)
    mine = cxcywh_to_xyxy(out[..., :4]), out[..., 4], one_kind
    return float(
        average_precision(*mine, cxcywh_to_xyxy(boxes), classes.clamp(max=0), ious=[0.5])[0]
    )


def detr_from_nothing():
    """Build a detector from an empty cell and train it on `small_scenes("train", 2000)`: images
    (2000, 3, 32, 32), classes (2000, 2) and boxes (2000, 2, 4) as cx, cy, w, h; a class of −1 says
    that there is no second garment. It takes images (B, 3, 32, 32) and gives (B, 5, 5): five
    answers a picture, each of them cx, cy, w, h and how sure it is that there is a garment, all
    between 0 and 1. Which kind it is does not matter. It has at most 400,000 parameters and an AP50
    of at least 40 % on scenes that you do not see, where duplicates count as errors and nothing
    removes them. Fifteen seconds of training are enough. How you build it is yours."""
    import torch
    import torch.nn.functional as F
    from scipy.optimize import linear_sum_assignment
    from torch import nn

    from tutorial_lib.layers.boxes import cxcywh_to_xyxy, giou

    class Detector(nn.Module):
        def __init__(self, dim=64):
            super().__init__()
            widths = (3, 32, 64, dim)  # three convolutions, each of which halves the picture
            self.look = nn.Sequential()
            for a, b in zip(widths, widths[1:]):
                self.look.extend([nn.Conv2d(a, b, 3, 2, 1), nn.BatchNorm2d(b), nn.ReLU()])
            self.places = nn.Parameter(0.3 * torch.randn(16, dim))
            self.queries = nn.Parameter(torch.randn(5, dim))
            layer = nn.TransformerDecoderLayer(dim, 4, 2 * dim, dropout=0, batch_first=True)
            self.ask = nn.TransformerDecoder(layer, 2)
            self.out = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, 5))

        def forward(self, images):
            tokens = self.look(images).flatten(2).mT + self.places  # (B, 16, dim)
            x = self.queries.expand(len(images), -1, -1)
            return self.out(self.ask(x, tokens)).sigmoid()  # (B, 5, 5)

    def loss_of(out, classes, boxes):
        a, b = cxcywh_to_xyxy(out[..., :4]), cxcywh_to_xyxy(boxes)
        apart = 5 * torch.cdist(out[..., :4], boxes, p=1) - 2 * giou(a[:, :, None], b[:, None])
        total, garment = 0.0, torch.zeros(out.shape[:2])
        for i, there in enumerate(classes >= 0):
            cost = (apart[i] - out[i, :, 4:])[:, there].detach().numpy()
            rows, columns = linear_sum_assignment(cost)
            total = total + apart[i][:, there][rows, columns].sum()
            garment[i, rows] = 1.0
        return total / garment.sum() + F.binary_cross_entropy(out[..., 4], garment)

    torch.manual_seed(0)
    detector, data = Detector(), small_scenes("train", 2000)
    optimizer = torch.optim.AdamW(detector.parameters(), lr=2e-3)
    for _ in range(steps(300)):
        chosen = torch.randint(2000, (32,))
        images, classes, boxes = (x[chosen] for x in data)
        loss = loss_of(detector(images), classes, boxes)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(detector.parameters(), 1.0)
        optimizer.step()
    return detector


detr_from_nothing = FromNothing(
    detr_from_nothing,
    minutes=25,
    shapes=(torch.zeros(2, 3, 32, 32), (2, 5, 5)),
    parameters=(5_000, 400_000),
    properties={
        "each picture is answered alone": each_alone,
        "boxes and scores lie between 0 and 1": within_bounds,
    },
    accuracy=found,
    measure="AP50",
    wanted=0.4,
)
