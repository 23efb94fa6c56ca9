"""A student with a second token, and its lessons, built from nothing."""

import torch

from tutorial_lib.checking.from_nothing import FromNothing
from tutorial_lib.notebook.claims import steps
from tutorial_lib.recipes.deit.deit import normalized
from tutorial_lib.recipes.deit.few_labels import WANTED, few_labels
from tutorial_lib.recipes.vit.data_size import accuracy, pictures


def each_alone(model):
    """Whether a picture's logits stay when other pictures are in the batch."""
    images = normalized(few_labels(count=4)[0])
    return torch.allclose(model(images)[:1], model(images[:1]), atol=1e-4)


def two_opinions(model):
    """Whether there are two answers in training mode, of which the mean is given otherwise."""
    images = normalized(few_labels(count=4)[0])
    with torch.random.fork_rng(devices=[]):
        both = model.train()(images)
    one = model.eval()(images)
    pair = isinstance(both, (tuple, list)) and len(both) == 2
    return pair and not torch.equal(*both) and torch.allclose(sum(both) / 2, one, atol=1e-3)


def deit_from_nothing():
    """Build a DeiT from an empty cell, without looking at the one above, and teach it.
    `few_labels()` gives 2,000 images (2000, 1, 28, 28) from 0 to 1 and the labels of the first 50
    of them; models get `normalized(images)`. `teacher` gives logits (B, 10). Your model takes
    normalized images (B, 1, 28, 28); in training mode it gives a pair of logits (B, 10), in
    evaluation mode their mean. It has 20,000 to 400,000 parameters, no dropout, and is right for at
    least 66 % of the test pictures, which you do not see: the labels alone do not reach that.
    Twenty seconds of training are enough."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    from tutorial_lib.recipes.deit.deit import load, normalized
    from tutorial_lib.recipes.deit.few_labels import few_labels

    class TwoTokens(nn.Module):
        def __init__(self, patch=7, dim=64, depth=2):
            super().__init__()
            self.cut = nn.Conv2d(1, dim, patch, stride=patch)
            self.first = nn.Parameter(0.02 * torch.randn(2, dim))
            self.places = nn.Parameter(0.02 * torch.randn(2 + (28 // patch) ** 2, dim))
            layer = nn.TransformerEncoderLayer(
                dim, 4, 2 * dim, dropout=0, activation="gelu", batch_first=True, norm_first=True
            )
            self.layers = nn.TransformerEncoder(layer, depth, nn.LayerNorm(dim), False)
            self.heads = nn.ModuleList(nn.Linear(dim, 10) for _ in range(2))

        def forward(self, images):
            x = self.cut(images).flatten(2).mT  # (B, 16, dim)
            x = torch.cat([self.first.expand(len(x), -1, -1), x], dim=1) + self.places
            both = [head(z) for head, z in zip(self.heads, self.layers(x)[:, :2].unbind(1))]
            return both if self.training else sum(both) / 2

    torch.manual_seed(0)
    teacher, student = load("CNN")[0], TwoTokens()
    images, labels = few_labels()
    images = normalized(images)
    optimizer = torch.optim.AdamW(student.parameters(), lr=3e-3)
    for _ in range(steps(200)):
        known, others = torch.randint(50, (16,)), torch.randint(2000, (48,))
        x = images[torch.cat([known, others])]
        by_label, by_teacher = student(x)
        with torch.no_grad():
            decided = teacher(x).argmax(-1)
        loss = F.cross_entropy(by_label[:16], labels[known]) + F.cross_entropy(by_teacher, decided)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return student.eval()


deit_from_nothing = FromNothing(
    deit_from_nothing,
    minutes=30,
    shapes=(torch.zeros(2, 1, 28, 28), (2, 10)),
    parameters=(20_000, 400_000),
    properties={
        "each picture is judged alone": each_alone,
        "two answers in training, their mean otherwise": two_opinions,
    },
    accuracy=lambda model: accuracy(model, *pictures("test")),
    wanted=WANTED,
)
