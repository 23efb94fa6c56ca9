"""A network whose weights take few values, built from nothing."""

import torch

from tutorial_lib.checking.from_nothing import FromNothing
from tutorial_lib.notebook.claims import steps
from tutorial_lib.recipes.vit.data_size import accuracy, pictures


def few_values(model):
    """Whether each row of each matrix takes at most four values."""
    matrices = [p for p in model.state_dict().values() if p.ndim > 1 and p.is_floating_point()]
    rows = (row for W in matrices for row in W.flatten(1))
    return bool(matrices) and all(len(row.unique()) <= 4 for row in rows)


def two_bits_from_nothing():
    """Build a network from an empty cell, train it on `pictures("train", 5000)`, images
    (5000, 1, 28, 28) and labels (5000,), and give it back with two bits a weight: each row of each
    matrix in its `state_dict` holds at most four different values (of a convolution: all weights of
    an output channel). Biases and norms are free, tables of positions are not. It takes images
    (B, 1, 28, 28), gives logits (B, 10), has 20,000 to 400,000 parameters, and tells at least 75 %
    of the test pictures right. Twenty seconds of training are enough. How you build it and how you
    train it is yours."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    def two_bits(W):  # (outputs, inputs): -2, -1, 0 and 1 times a scale for each row
        scale = 1.5 * W.abs().mean(dim=1, keepdim=True)
        return scale * (W / scale).round().clamp(-2, 1)

    class TwoBits(nn.Linear):
        def forward(self, x):
            W = self.weight + (two_bits(self.weight) - self.weight).detach()
            return F.linear(x, W, self.bias)

    torch.manual_seed(0)
    built = nn.Sequential(
        nn.Flatten(), TwoBits(784, 128), nn.LayerNorm(128), nn.GELU(), TwoBits(128, 10)
    )
    images, labels = pictures("train", 5000)
    optimizer = torch.optim.AdamW(built.parameters(), lr=2e-3)
    for _ in range(steps(400)):
        chosen = torch.randint(5000, (64,))
        loss = F.cross_entropy(built(images[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        for layer in (built[1], built[4]):
            layer.weight.copy_(two_bits(layer.weight))
    return built


two_bits_from_nothing = FromNothing(
    two_bits_from_nothing,
    minutes=25,
    shapes=(torch.zeros(2, 1, 28, 28), (2, 10)),
    parameters=(20_000, 400_000),
    properties={"each row of each matrix takes at most four values": few_values},
    accuracy=lambda model: accuracy(model, *pictures("test")),
    wanted=0.75,
)
