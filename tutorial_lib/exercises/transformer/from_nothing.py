"""A decoder that writes a row of digits from its end, built from nothing."""

import torch

from tutorial_lib.checking.from_nothing import FromNothing
from tutorial_lib.recipes.transformer.turned import EQUALS, right_texts, texts


@torch.no_grad()
def cannot_see_the_future(model) -> bool:
    words = texts(8, torch.Generator().manual_seed(1))
    other = torch.cat([words[:, :6], (words[:, 6:] + 1) % EQUALS], dim=1)
    return torch.allclose(model(words)[:, :6], model(other)[:, :6], atol=1e-4)


@torch.no_grad()
def takes_any_beginning(model) -> bool:
    words = texts(8, torch.Generator().manual_seed(1))
    return torch.allclose(model(words[:, :3]), model(words)[:, :3], atol=1e-4)


def decoder_from_nothing():
    """A text is five digits, the word "=" (number 10), and the same digits from the last to the
    first, 11 words in all. `texts(64, generator)`, with a `torch.Generator()`, draws a batch
    (64, 11). Build a Transformer that writes, from an empty cell, and train it to predict each next
    word: it takes the words so far (B, N), N up to 11, gives at every place the scores of the word
    that comes next, (B, N, 11), sees nothing of the future and has 5,000 to 200,000 parameters.
    Of new texts it should write at least 90 % of the second halves without a mistake. Ten seconds
    of training are enough. What gradient descent needs you know; what must reach every layer, and
    what must not, is the exercise."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    class Layer(nn.Module):
        def __init__(self, dim):
            super().__init__()
            self.norm_1, self.norm_2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
            self.attention = nn.MultiheadAttention(dim, 4, batch_first=True)
            self.up, self.down = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

        def forward(self, x):
            future = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
            y = self.norm_1(x)
            x = x + self.attention(y, y, y, attn_mask=future, need_weights=False)[0]
            return x + self.down(F.gelu(self.up(self.norm_2(x))))

    class Writer(nn.Module):
        def __init__(self, dim=48):
            super().__init__()
            self.words, self.places = nn.Embedding(11, dim), nn.Embedding(11, dim)
            self.layers = nn.Sequential(Layer(dim), Layer(dim))
            self.head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 11))

        def forward(self, words):
            places = self.places(torch.arange(words.shape[1]))
            return self.head(self.layers(self.words(words) + places))

    torch.manual_seed(0)
    generator, built = torch.Generator().manual_seed(0), Writer()
    optimizer = torch.optim.AdamW(built.parameters(), lr=3e-3)
    for _ in range(200):
        words = texts(64, generator)
        loss = F.cross_entropy(built(words[:, :-1]).mT, words[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return built


decoder_from_nothing = FromNothing(
    decoder_from_nothing,
    minutes=20,
    shapes=(torch.zeros(2, 11, dtype=torch.long), (2, 11, 11)),
    parameters=(5_000, 200_000),
    properties={
        "nothing of the future is seen": cannot_see_the_future,
        "a beginning is enough to go on from": takes_any_beginning,
    },
    accuracy=right_texts,
    wanted=0.9,
    measure="of the second halves without a mistake",
)
