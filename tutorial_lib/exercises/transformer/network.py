"""The feed-forward network as a module."""

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.checking.modules import ModuleExercise


class FeedForward(nn.Module):
    """Two linear maps with GELU between them, the same for every token.

    dim     features of a token
    hidden  features between the two maps, often 4 · dim

    The map to the hidden features is called up, the one back is called down; both have a bias.
    """

    def __init__(self, dim: int, hidden: int):
        """Make both maps."""
        super().__init__()
        self.up, self.down = nn.Linear(dim, hidden), nn.Linear(hidden, dim)

    def forward(self, x):
        """x (..., dim)  ->  (..., dim)"""
        return self.down(F.gelu(self.up(x)))


def sizes_and_tokens(rng):
    for shape, hidden in [((1, 2, 3), 5), ((2, 3, 4), 6), ((3, 1, 2), 2), ((2, 2, 3, 5), 7)]:
        x = 2 * torch.from_numpy(rng.normal(size=shape)).float()
        yield dict(arguments=dict(dim=shape[-1], hidden=hidden), x=x)


FeedForward = ModuleExercise(
    FeedForward,
    level=1,
    minutes=5,
    cases=sizes_and_tokens,
    hints=(
        "A linear map has a matrix and a bias: `nn.Linear(features in, features out)`. How many of "
        "them does the formula have, and how large are they?",
        "In `forward` three things happen one after the other. The bend has no weights, so it need "
        "not be made in `__init__`: `F.gelu`.",
        "`self.up` maps dim to hidden features, `self.down` brings them back; in `forward` the "
        "bend stands between the two and nowhere else.",
    ),
)
_Reference = FeedForward.reference


@FeedForward.mistake(
    """Your bend is ReLU, with a corner at zero. The first paper has it; which one does the task ask
    for?"""
)
class BendsWithReLU(_Reference):
    def forward(self, x):
        return self.down(F.relu(self.up(x)))


@FeedForward.mistake(
    """There is no bend: two linear maps in a row are one linear map, and the hidden features are
    for nothing. What stands between them?"""
)
class WithoutABend(_Reference):
    def forward(self, x):
        return self.down(self.up(x))


@FeedForward.mistake(
    """There is a bend behind the second map too: no output is below −0.17, so a residual could
    hardly be lowered. How many bends does the formula have?"""
)
class BendsTwice(_Reference):
    def forward(self, x):
        return F.gelu(self.down(F.gelu(self.up(x))))


@FeedForward.mistake(
    """The bend comes first, before the map that widens. Which features is it to act on?"""
)
class BendsTheInput(_Reference):
    def forward(self, x):
        return self.down(self.up(F.gelu(x)))


@FeedForward.mistake(
    """The bend comes last, behind both maps, which are then a single linear map. Between which two
    things does it stand in the formula?"""
)
class BendsTheOutput(_Reference):
    def forward(self, x):
        return F.gelu(self.down(self.up(x)))


@FeedForward.mistake(
    """x is added here already. The residual is the layer's business: with `Residual` around this
    network x would be added twice."""
)
class AddsItsInput(_Reference):
    def forward(self, x):
        return x + self.down(F.gelu(self.up(x)))


@FeedForward.mistake(
    """Your GELU is the approximation by tanh, off in the third or fourth digit. `F.gelu` is exact
    unless it is asked for something else."""
)
class ApproximatesGELU(_Reference):
    def forward(self, x):
        return self.down(F.gelu(self.up(x), approximate="tanh"))


@FeedForward.mistake(
    """Something drops features at random in training, so two calls differ. Nothing here asks for
    dropout: the task has two maps and a bend."""
)
class DropsFeatures(_Reference):
    def forward(self, x):
        return self.down(F.dropout(F.gelu(self.up(x)), 0.1, self.training))


@FeedForward.mistake(
    """Your bend is SiLU, x · sigmoid(x), which looks much like GELU. Whose probability does GELU
    keep a number with?"""
)
class BendsWithSiLU(_Reference):
    def forward(self, x):
        return self.down(F.silu(self.up(x)))
