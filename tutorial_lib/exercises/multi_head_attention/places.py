"""Places as modules: a vector that is added to a token, a number that is added to a score."""

import torch
from torch import nn

from tutorial_lib.checking.modules import ModuleExercise
from tutorial_lib.from_scratch.positions import relative_position_index


class AddPlaces(nn.Module):
    """Adds to each token of a sequence a learned vector of its place.

    places  how many places there are: the most tokens that a sequence may have
    dim     features of a token

    Its one parameter, table (places, dim), begins normal with standard deviation 0.05.
    """

    def __init__(self, places: int, dim: int):
        """Make the table."""
        super().__init__()
        self.table = nn.Parameter(0.05 * torch.randn(places, dim))

    def forward(self, x):
        """x (B, N, dim), the token at place p with the vector of place p  ->  (B, N, dim), new.
        ValueError if there are more tokens than places."""
        n = x.shape[1]
        if n > len(self.table):
            raise ValueError(f"{n} tokens, and only {len(self.table)} places")
        return x + self.table[:n]


def tokens_at_places(rng):
    for B, N, places, dim in [(1, 2, 2, 3), (2, 3, 3, 4), (3, 2, 5, 4), (4, 4, 4, 1), (2, 1, 3, 2)]:
        x = torch.from_numpy(rng.normal(size=(B, N, dim))).float()
        yield dict(arguments=dict(places=places, dim=dim), x=x)
    x = torch.from_numpy(rng.normal(size=(2, 4, 3))).float()
    yield dict(arguments=dict(places=3, dim=3), x=x)  # one token too many
    x = torch.from_numpy(rng.normal(size=(3, 5, 8))).float()
    yield dict(arguments=dict(places=1, dim=8), x=x)  # a table of one place would broadcast
    x = torch.from_numpy(rng.normal(size=(3, 4, 8))).float()
    yield dict(arguments=dict(places=6, dim=8), x=x)


AddPlaces = ModuleExercise(
    AddPlaces,
    level=1,
    minutes=10,
    cases=tokens_at_places,
    initial={"table": (0, 0.05)},
    hints=(
        "A tensor that is to be trained must be known to the module: `nn.Parameter(...)`, kept as "
        "an attribute.",
        "The table has no axis for the batch: all sequences share it. Which rows of it does a "
        "sequence of N tokens take?",
        "`self.table = nn.Parameter(0.05 * torch.randn(places, dim))`, and "
        "`x + self.table[: x.shape[1]]`. A slice past the end gives fewer rows without a word, so "
        "compare the two numbers first.",
    ),
)
_Reference = AddPlaces.reference


class _Checked(_Reference):
    """Refuses as the reference does, then adds rows of its own choice."""

    def forward(self, x):
        super().forward(x)
        return self.placed(x, x.shape[1])


@AddPlaces.mistake(
    """Right wherever there is an answer. A sequence longer than the table is not refused with a
    ValueError: a slice past the end gives fewer rows without a word, and a table of one row would
    broadcast to all. What does the task want?"""
)
class RefusesNothing(_Reference):
    def forward(self, x):
        return x + self.table[: x.shape[1]]


@AddPlaces.mistake(
    """You add the whole table, so a sequence must have exactly as many tokens as there are places.
    Which rows belong to the first N?"""
)
class AddsTheWholeTable(_Checked):
    def placed(self, x, n):
        return x + self.table


@AddPlaces.mistake(
    """You count the sequences of the batch instead of the tokens: `len(x)` is B. Which axis holds
    the places?"""
)
class CountsTheBatch(_Checked):
    def placed(self, x, n):
        return x + self.table[: len(x)]


@AddPlaces.mistake(
    """The vector belongs to the sequence's place in the batch: all tokens of sequence 0 get row 0.
    Which axis of x counts the places?"""
)
class PlacesOfTheBatch(_Checked):
    def placed(self, x, n):
        return x + self.table[torch.arange(len(x)) % len(self.table)][:, None]


@AddPlaces.mistake(
    """You take the last N rows of the table. The token at place 0 wants row 0, however short its
    sequence is."""
)
class LastRows(_Checked):
    def placed(self, x, n):
        return x + self.table[-n:]


@AddPlaces.mistake(
    """Every token gets the same vector, that of place 0: no token can tell where it stands."""
)
class FirstRowForAll(_Checked):
    def placed(self, x, n):
        return x + self.table[0]


@AddPlaces.mistake(
    """You return the vectors of the places and leave out the tokens. What should the attention
    behind it read?"""
)
class LeavesOutTheTokens(_Checked):
    def placed(self, x, n):
        return self.table[:n].expand_as(x)


@AddPlaces.mistake(
    """You multiply where the task adds: with vectors that begin near zero hardly anything of a
    token is left."""
)
class Multiplies(_Checked):
    def placed(self, x, n):
        return x * self.table[:n]


@AddPlaces.mistake(
    """The numbers are right, and the table never learns: it is cut off by `.data`, `detach` or
    `no_grad`. What should `backward` find?"""
)
class TableCutOff(_Checked):
    def placed(self, x, n):
        return x + self.table[:n].detach()


class RelativeBias(nn.Module):
    """Adds to the score of two tokens of a grid a learned number of their offset.

    rows, columns  of the grid: N = rows · columns tokens, row by row
    heads          how many; each has a table of its own

    Its parameter is table (heads, offsets), an entry for each offset that two tokens can have,
    which begins at zero; its buffer is index int64 (N, N), as `relative_position_index` gives it.
    A buffer, `self.register_buffer(name, tensor)`, goes with the module and is not trained.
    """

    def __init__(self, rows: int, columns: int, heads: int):
        """Make the table and the buffer. How many offsets are there?"""
        super().__init__()
        index = torch.from_numpy(relative_position_index(rows, columns))
        self.register_buffer("index", index)
        self.table = nn.Parameter(torch.zeros(heads, (2 * rows - 1) * (2 * columns - 1)))

    def forward(self, scores):
        """scores (B, heads, N, N), query by key  ->  (B, heads, N, N), new"""
        return scores + self.table[:, self.index]


def grids_and_scores(rng):
    for B, rows, columns, heads in [
        (1, 1, 2, 1),
        (2, 2, 1, 2),
        (2, 2, 3, 3),
        (3, 3, 2, 2),
        (2, 1, 4, 3),
        (1, 3, 4, 2),
    ]:
        n = rows * columns
        scores = torch.from_numpy(rng.normal(size=(B, heads, n, n))).float()
        yield dict(arguments=dict(rows=rows, columns=columns, heads=heads), scores=scores)


RelativeBias = ModuleExercise(
    RelativeBias,
    level=2,
    minutes=10,
    cases=grids_and_scores,
    initial={"table": (0, 0)},
    hints=(
        "How many values can Δy take in a grid of `rows` rows, from the lowest to the highest? And "
        "Δx?",
        "`torch.from_numpy(relative_position_index(rows, columns))` is the buffer. A table indexed "
        "by a matrix of whole numbers has that matrix's shape.",
        "`self.table[:, self.index]` is (heads, N, N); the batch comes by itself.",
    ),
)
_Bias = RelativeBias.reference


@RelativeBias.mistake(
    """Key and query are exchanged: "the neighbour on the left" gets what was learned for the right.
    `index` is query by key, as the scores are. Is there a transpose too many?"""
)
class KeyByQuery(_Bias):
    def forward(self, scores):
        return scores + self.table[:, self.index.T]


@RelativeBias.mistake(
    """All heads get the first one's table. What makes a head look to the left and another one
    up?"""
)
class OneTableForAll(_Bias):
    def forward(self, scores):
        return scores + self.table[0][self.index]


@RelativeBias.mistake(
    """You give the bias and leave out the scores. What should the softmax behind it read?"""
)
class LeavesOutTheScores(_Bias):
    def forward(self, scores):
        return self.table[:, self.index].expand_as(scores)


@RelativeBias.mistake(
    """Your bias multiplies the scores. Swin adds it, so that an offset can count whatever the two
    tokens say, even where their score is zero."""
)
class MultipliesTheScores(_Bias):
    def forward(self, scores):
        return scores * self.table[:, self.index]


@RelativeBias.mistake(
    """The softmax has been taken. The task adds to the scores and gives scores: attention takes
    them on."""
)
class TakesTheSoftmax(_Bias):
    def forward(self, scores):
        return (scores + self.table[:, self.index]).softmax(dim=-1)


@RelativeBias.mistake(
    """The numbers are right, and the table never learns: it is cut off by `.data`, `detach` or
    `no_grad`. What should `backward` find?"""
)
class BiasCutOff(_Bias):
    def forward(self, scores):
        return scores + self.table.detach()[:, self.index]


@RelativeBias.mistake(
    """Your bias makes a score larger or smaller by a share of itself. Swin adds it, so that an
    offset can count whatever the two tokens say, even where their score is zero."""
)
class AddsAShareOfTheScores(_Bias):
    def forward(self, scores):
        return scores * (1 + self.table[:, self.index])
