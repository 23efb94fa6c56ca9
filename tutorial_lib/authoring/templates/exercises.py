"""Chapter <number>, <title>: what is asked, how it is tried, and what people get wrong."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.checking import Exercise
from tutorial_lib.checking.from_nothing import FromNothing
from tutorial_lib.checking.modules import ModuleExercise


def unit_rows(x):
    """Make each row of a matrix one long, and keep its direction.

    x (n, d), no row of zeros  ->  (n, d), every row of Euclidean length 1
    """
    return x / np.sqrt((x**2).sum(axis=1, keepdims=True))


def matrices(rng):
    yield dict(x=np.array([[3.0, 4.0]]))
    for n, d in [(1, 1), (3, 2), (3, 3), (4, 5)]:
        yield dict(x=rng.normal(size=(n, d)))
    yield dict(x=1e6 * rng.normal(size=(2, 3)))


unit_rows = Exercise(
    unit_rows,
    level=1,
    minutes=10,
    cases=matrices,
    hints=(
        "How long is the vector (3, 4), and what must it be divided by to be one long?",
        "Square, sum along a row, take the root: one length for each row.",
        "`keepdims=True` keeps the lengths a column of shape (n, 1), which divides row by row.",
    ),
)


@unit_rows.mistake(
    """You divide by the squared length: rows longer than one come out too short, shorter ones too
    long. What is the length of (3, 4)?"""
)
def forgets_the_root(x):
    return x / (x**2).sum(axis=1, keepdims=True)


@unit_rows.mistake(
    """Your columns are one long where the rows should be. Along which axis does a row run, and
    which axis must the sum remove?"""
)
def columns(x):
    return x / np.sqrt((x**2).sum(axis=0, keepdims=True))


@unit_rows.mistake(
    """You divide the whole matrix by one number, so long rows stay longer than short ones. How many
    lengths does a matrix of n rows have?"""
)
def one_length_for_all(x):
    return x / np.sqrt((x**2).sum())


@unit_rows.mistake(
    """You measure a row by the sum of its absolute values, so (3, 4) comes out as (3/7, 4/7). Is
    that vector one long by Pythagoras?"""
)
def sums_absolute_values(x):
    return x / np.abs(x).sum(axis=1, keepdims=True)


class UnitScores(nn.Module):
    """Scores that depend on the direction of a vector and not on its length.

    dim features of a vector; classes how many scores. One layer, `to_scores`, a linear map.
    """

    def __init__(self, dim: int, classes: int):
        """Make the layer."""
        super().__init__()
        self.to_scores = nn.Linear(dim, classes)

    def forward(self, x):
        """x (B, dim), no row of zeros  ->  scores (B, classes) of the rows made one long"""
        return self.to_scores(x / x.norm(dim=-1, keepdim=True))


def sizes_and_vectors(rng):
    for B, dim, classes in [(1, 2, 1), (2, 3, 4), (3, 5, 2), (4, 1, 3)]:
        x = torch.from_numpy(rng.normal(size=(B, dim))).float()
        yield dict(arguments=dict(dim=dim, classes=classes), x=x)


UnitScores = ModuleExercise(
    UnitScores,
    level=2,
    minutes=10,
    cases=sizes_and_vectors,
    hints=(
        "What does the layer need to know when it is made, and what when it is called?",
        "`x.norm(dim=-1, keepdim=True)` is a column of lengths.",
        "In `__init__`: `super().__init__()`, then an `nn.Linear` from dim to classes. In "
        "`forward`: divide by the lengths, then call the layer.",
    ),
)


@UnitScores.mistake("The length still counts: (6, 8) and (3, 4) should have the same scores.")
class KeepsTheLength(UnitScores.reference):
    def forward(self, x):
        return self.to_scores(x)


@UnitScores.mistake("The scores are made one long, not the vectors. Which comes first?")
class NormalisesTheScores(UnitScores.reference):
    def forward(self, x):
        return F.normalize(self.to_scores(x), dim=-1)


@UnitScores.mistake("Each feature is divided by its length over the batch. What is a row of x?")
class NormalisesOverTheBatch(UnitScores.reference):
    def forward(self, x):
        return self.to_scores(x / x.norm(dim=0, keepdim=True))


@UnitScores.mistake("You divide by the squared length: a long vector comes out too short.")
class DividesTwice(UnitScores.reference):
    def forward(self, x):
        return self.to_scores(x / (x**2).sum(dim=-1, keepdim=True))


def plane(count, seed):
    """Points of the plane, and whether the first coordinate is the larger one."""
    x = torch.randn(count, 2, generator=torch.Generator().manual_seed(seed))
    return x, (x[:, 0] > x[:, 1]).long()


def accuracy(model):
    x, y = plane(500, seed=1)
    return (model(x).argmax(1) == y).float().mean().item()


def unit_scores_from_nothing():
    """Build and train a module from (B, 2) to two scores: is the first number the larger one? The
    scores may depend on the direction only. 4 to 20 parameters, 90 % right on points you do not
    see."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    class Scores(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(2, 2)

        def forward(self, x):
            return self.linear(F.normalize(x, dim=-1))

    torch.manual_seed(0)
    x = torch.randn(200, 2)
    y = (x[:, 0] > x[:, 1]).long()
    scores = Scores()
    optimizer = torch.optim.AdamW(scores.parameters(), lr=0.1)
    for _ in range(60):
        loss = F.cross_entropy(scores(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return scores


unit_scores_from_nothing = FromNothing(
    unit_scores_from_nothing,
    minutes=15,
    shapes=(torch.ones(3, 2), (3, 2)),
    parameters=(4, 20),
    properties={
        "twice as long, the same scores": lambda model: torch.allclose(
            model(torch.tensor([[1.0, 2.0]])), model(torch.tensor([[2.0, 4.0]])), atol=1e-5
        )
    },
    accuracy=accuracy,
    wanted=0.9,
)
