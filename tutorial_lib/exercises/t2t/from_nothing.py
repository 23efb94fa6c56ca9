"""A T2T-ViT built from nothing."""

import torch

from tutorial_lib.checking.from_nothing import FromNothing
from tutorial_lib.notebook.claims import steps
from tutorial_lib.recipes.vit.data_size import accuracy, pictures


def each_alone(model):
    """Whether a picture's logits stay when other pictures are in the batch."""
    images, _ = pictures("test", 4)
    return torch.allclose(model(images)[:1], model(images[:1]), atol=1e-4)


@torch.no_grad()
def neighbours_meet(model):
    """Whether each pixel lies in some window of the first split with each of its neighbours."""
    dots = torch.eye(28 * 28).view(-1, 1, 28, 28)  # one lit pixel each
    black = torch.zeros(1, 1, 28, 28)
    inside = (model.windows(dots) != model.windows(black)).any(-1).view(28, 28, -1)
    beside, below = inside[:, 1:] & inside[:, :-1], inside[1:] & inside[:-1]
    return bool(beside.any(-1).all() and below.any(-1).all())


@torch.no_grad()
def grows_tokens(model):
    """Whether fewer tokens than windows come out, and each has heard of a pixel in the corner."""
    images, _ = pictures("test", 8)  # a sharp attention may pass the corner by in some
    changed = images.clone()
    changed[..., -1, -1] += 3
    tokens, other = model.tokens(images), model.tokens(changed)
    fewer = tokens.shape[1] < model.windows(images).shape[1]
    return fewer and bool((tokens != other).any(-1).any(0).all())


def t2t_from_nothing():
    """Build a T2T-ViT from an empty cell and train it on `pictures("train", 2000)`: images
    (2000, 1, 28, 28), labels (2000,). It takes images (B, 1, 28, 28) and gives logits (B, 10), has
    20,000 to 400,000 parameters, and is right for at least 68 % of the test pictures, which you do
    not see. It has two methods: `windows(images)` gives the windows of its first split,
    (B, windows, features), where every two neighbouring pixels lie together in at least one;
    `tokens(images)` gives what leaves the Tokens-to-Token module, (B, tokens, features): fewer than
    there are windows, and each has heard of every pixel. Fifteen seconds of training are enough.
    How you build it is yours."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    class T2TFromNothing(nn.Module):
        def __init__(self, inside=16, dim=48):
            super().__init__()
            self.qkv = nn.Sequential(nn.LayerNorm(49), nn.Linear(49, 3 * inside))
            self.bend = nn.Sequential(nn.LayerNorm(inside), nn.Linear(inside, inside), nn.GELU())
            self.last = nn.Linear(9 * inside, dim)
            self.first = nn.Parameter(0.02 * torch.randn(1, 1, dim))
            self.places = nn.Parameter(0.02 * torch.randn(1 + 16, dim))
            layer = nn.TransformerEncoderLayer(
                dim, 4, 2 * dim, dropout=0, activation="gelu", batch_first=True, norm_first=True
            )
            self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.out = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 10))

        def windows(self, images):
            return F.unfold(images, 7, padding=2, stride=4).mT  # (B, 49, 49)

        def tokens(self, images):
            q, k, v = self.qkv(self.windows(images)).chunk(3, dim=-1)
            x = v + F.scaled_dot_product_attention(q, k, v)  # (B, 49, inside)
            x = x + self.bend(x)
            image = x.mT.unflatten(-1, (7, 7))
            return self.last(F.unfold(image, 3, padding=1, stride=2).mT)  # (B, 16, dim)

        def forward(self, images):
            x = self.tokens(images)
            x = torch.cat([self.first.expand(len(x), -1, -1), x], dim=1) + self.places
            return self.out(self.layers(x)[:, 0])

    torch.manual_seed(0)
    built, (images, labels) = T2TFromNothing(), pictures("train", 2000)
    optimizer = torch.optim.AdamW(built.parameters(), lr=2e-3)
    for _ in range(steps(150)):
        chosen = torch.randint(2000, (64,))
        loss = F.cross_entropy(built(images[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return built


t2t_from_nothing = FromNothing(
    t2t_from_nothing,
    minutes=20,
    shapes=(torch.zeros(2, 1, 28, 28), (2, 10)),
    parameters=(20_000, 400_000),
    properties={
        "each picture is judged alone": each_alone,
        "neighbouring pixels lie together in a window of the first split": neighbours_meet,
        "tokens are fewer than windows, and each has heard of a far pixel": grows_tokens,
    },
    accuracy=lambda model: accuracy(model, *pictures("test")),
    wanted=0.68,
)
