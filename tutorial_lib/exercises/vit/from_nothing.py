"""A Vision Transformer built from nothing."""

import torch

from tutorial_lib.checking.from_nothing import FromNothing
from tutorial_lib.notebook.claims import steps
from tutorial_lib.recipes.vit.data_size import accuracy, pictures


def each_alone(model):
    """Whether a picture's logits stay when other pictures are in the batch."""
    images, _ = pictures("test", 4)
    return torch.allclose(model(images)[:1], model(images[:1]), atol=1e-4)


@torch.no_grad()
def squares(model):
    """Whether each pixel moves one token, and the pixels of each token are a square."""
    black, side = torch.zeros(1, 1, 28, 28), 28
    dots = torch.eye(side * side).view(-1, 1, side, side)  # one lit pixel each
    moved = (model.tokens(dots) != model.tokens(black)).any(-1)  # (784, tokens)
    if not (moved.sum(1) == 1).all():
        return False
    of_pixel = moved.int().argmax(1).view(side, side)
    for token in of_pixel.unique():
        rows, columns = (of_pixel == token).nonzero().T
        height, width = (int(x.max() - x.min()) + 1 for x in (rows, columns))
        if height != width or height * width != len(rows):
            return False
    return True


def vit_from_nothing():
    """Build a Vision Transformer from an empty cell and train it on `pictures("train", 2000)`:
    images (2000, 1, 28, 28), labels (2000,). It takes images (B, 1, 28, 28) and gives logits
    (B, 10), has 20,000 to 400,000 parameters, and is right for at least 60 % of the test pictures,
    which you do not see. It has a method `tokens(images)` that gives what its encoder reads,
    (B, tokens, features): each pixel lies in one token, and each token is a square of the picture.
    Fifteen seconds of training are enough. How you build it is yours."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    class ViTFromNothing(nn.Module):
        def __init__(self, patch=7, dim=48, depth=2):
            super().__init__()
            self.cut = nn.Conv2d(1, dim, patch, stride=patch)
            self.first = nn.Parameter(0.02 * torch.randn(1, 1, dim))
            self.places = nn.Parameter(0.02 * torch.randn(1 + (28 // patch) ** 2, dim))
            layer = nn.TransformerEncoderLayer(
                dim, 4, 2 * dim, dropout=0, activation="gelu", batch_first=True, norm_first=True
            )
            self.layers = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
            self.out = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 10))

        def tokens(self, images):
            x = self.cut(images).flatten(2).mT  # (B, 16, dim)
            return torch.cat([self.first.expand(len(x), -1, -1), x], dim=1) + self.places

        def forward(self, images):
            return self.out(self.layers(self.tokens(images))[:, 0])

    torch.manual_seed(0)
    built, (images, labels) = ViTFromNothing(), pictures("train", 2000)
    optimizer = torch.optim.AdamW(built.parameters(), lr=2e-3)
    for _ in range(steps(150)):
        chosen = torch.randint(2000, (64,))
        loss = F.cross_entropy(built(images[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return built


vit_from_nothing = FromNothing(
    vit_from_nothing,
    minutes=30,
    shapes=(torch.zeros(2, 1, 28, 28), (2, 10)),
    parameters=(20_000, 400_000),
    properties={
        "each picture is judged alone": each_alone,
        "each pixel lies in one token, each token is a square": squares,
    },
    accuracy=lambda model: accuracy(model, *pictures("test")),
    wanted=0.6,
)
