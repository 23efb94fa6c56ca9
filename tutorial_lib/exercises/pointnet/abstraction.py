"""Set abstraction: a PointNet in every neighbourhood."""

import torch
from torch import nn

from tutorial_lib.checking.modules import ModuleExercise
from tutorial_lib.layers.point_sets import ball_query, farthest_points, gather
from tutorial_lib.layers.shared_mlp import shared_mlp


class SetAbstraction(nn.Module):
    """From many points to a few, each of which knows what its neighbourhood looks like.

    channels    features that a point has beside its place; 0 for none
    centres     how many points are left
    radius      of the ball around each of them
    neighbours  how many points of a ball are looked at
    widths      of the small PointNet that looks

    Its shared MLP is named mlp, `shared_mlp(3 + channels, *widths)`. The features that come out per
    point are kept as `self.width`. For the small PointNet a neighbour is where it is *from the
    centre*, 3 numbers, and behind them its features. A ReLU follows the maximum.
    """

    def __init__(self, channels: int, centres: int, radius: float, neighbours: int, widths: tuple):
        """Keep what `forward` needs."""
        super().__init__()
        self.centres, self.radius, self.neighbours = centres, radius, neighbours
        self.mlp = shared_mlp(3 + channels, *widths)
        self.width = widths[-1]

    def forward(self, points, features=None):
        """points (B, N, 3), features (B, N, channels), or None where channels is 0
        ->  the centres (B, centres, 3) and their features (B, centres, width)"""
        centres = gather(points, farthest_points(points, self.centres))  # (B, M, 3)
        index = ball_query(centres, points, self.radius, self.neighbours)  # (B, M, K)
        balls = gather(points, index) - centres[:, :, None]  # (B, M, K, 3)
        if features is not None:
            balls = torch.cat([balls, gather(features, index)], dim=-1)  # (B, M, K, 3 + channels)
        return centres, self.mlp(balls).amax(dim=2).relu()


def sizes_and_points(rng):
    for B, N, channels, centres, radius, neighbours, widths in [
        (1, 5, 0, 2, 3.0, 3, (4,)),
        (2, 6, 2, 3, 1.2, 4, (3, 5)),
        (3, 4, 3, 4, 0.7, 2, (4, 3)),
        (2, 8, 0, 3, 2.0, 5, (3, 4)),
        (2, 5, 1, 2, 9.0, 7, (3,)),  # more neighbours than points
    ]:
        arguments = dict(
            channels=channels, centres=centres, radius=radius, neighbours=neighbours, widths=widths
        )
        points = torch.from_numpy(rng.normal(size=(B, N, 3))).float()
        features = torch.from_numpy(rng.normal(size=(B, N, channels))).float() if channels else None
        yield dict(arguments=arguments, points=points, features=features)


class _KeepsItsWidth(ModuleExercise):
    """A level that also says how many features it gives: the next one is made with that."""

    def beside_the_tries(self, answer):
        arguments = self.all_cases()[-1]["arguments"]
        width, wanted = getattr(answer(**arguments), "width", None), arguments["widths"][-1]
        if width == wanted:
            return ""
        return f"right but for self.width, which is {width!r} where {wanted} features come out."


SetAbstraction = _KeepsItsWidth(
    SetAbstraction,
    level=4,
    minutes=25,
    cases=sizes_and_points,
    hints=(
        "Four steps, as in the schematic: choose centres, find neighbours, see them from the "
        "centre, a PointNet for each ball. Write the shape behind each step.",
        "`gather(values, index)` looks up places: points (B, N, 3) at (B, M) gives (B, M, 3), at "
        "(B, M, K) gives (B, M, K, 3). A centre needs an axis to be subtracted from its "
        "neighbours.",
        "`centres = gather(points, farthest_points(points, self.centres))`; `balls = "
        "gather(points, index) - centres[:, :, None]`; features, gathered with the same index, go "
        "behind with `torch.cat`; `self.mlp(balls).amax(dim=2).relu()`.",
    ),
)
_Reference = SetAbstraction.reference


class _Parts(_Reference):
    """The reference in steps, for mistakes that change one of them."""

    def forward(self, points, features=None):
        centres = self.choose(points)
        index = ball_query(centres, points, self.radius, self.neighbours)
        balls = self.seen(centres, points, index)
        if features is not None:
            balls = self.beside(balls, gather(features, index))
        return centres, self.pool(self.mlp(balls))

    def choose(self, points):
        return gather(points, farthest_points(points, self.centres))

    def seen(self, centres, points, index):
        return gather(points, index) - centres[:, :, None]

    def beside(self, places, features):
        return torch.cat([places, features], dim=-1)

    def pool(self, found):
        return found.amax(dim=2).relu()


@SetAbstraction.mistake(
    """Your balls hold places as they are in the room: a chair leg looks different at every corner
    of the chair. From where does the task look at a neighbour?"""
)
class PlacesInTheRoom(_Parts):
    def seen(self, centres, points, index):
        return gather(points, index)


@SetAbstraction.mistake(
    """Your differences point the other way, from the neighbour to the centre. What do you get when
    you stand at the centre?"""
)
class FromTheNeighbour(_Parts):
    def seen(self, centres, points, index):
        return centres[:, :, None] - gather(points, index)


@SetAbstraction.mistake(
    """You divide by the radius, so that a ball has the size one. Some later networks do that; the
    task does not."""
)
class ScaledByTheRadius(_Parts):
    def seen(self, centres, points, index):
        return super().seen(centres, points, index) / self.radius


@SetAbstraction.mistake(
    """The first points of the cloud are your centres. They may all lie in one corner: which
    function chooses points that cover it?"""
)
class FirstPointsAsCentres(_Parts):
    def choose(self, points):
        return points[:, : self.centres]


@SetAbstraction.mistake(
    """Your centres are chosen at random: two calls differ, and some parts of the cloud get no ball.
    Which function chooses points that cover it?"""
)
class RandomCentres(_Parts):
    def choose(self, points):
        chosen = torch.randperm(points.shape[1], device=points.device)[: self.centres]
        return points[:, chosen]


@SetAbstraction.mistake(
    """The centre's features are subtracted from its neighbours', as some later networks do. The
    task sees the places from the centre, and features as they are."""
)
class FeaturesFromTheCentre(_Parts):
    def forward(self, points, features=None):
        if features is None:
            return super().forward(points)
        chosen = farthest_points(points, self.centres)
        centres = gather(points, chosen)
        index = ball_query(centres, points, self.radius, self.neighbours)
        seen = gather(features, index) - gather(features, chosen)[:, :, None]
        return centres, self.pool(self.mlp(self.beside(self.seen(centres, points, index), seen)))


@SetAbstraction.mistake(
    """The features stand in front of the places. Which come first in the task?"""
)
class FeaturesInFront(_Parts):
    def beside(self, places, features):
        return torch.cat([features, places], dim=-1)


@SetAbstraction.mistake(
    """You take the mean over a ball. In a ball with few points the nearest one is repeated: a
    maximum does not notice that, a mean does."""
)
class MeanOverTheBall(_Parts):
    def pool(self, found):
        return found.mean(dim=2).relu()


@SetAbstraction.mistake(
    """The maximum runs over the centres: all neighbourhoods are mixed and one ball is left. Which
    axis holds the neighbours?"""
)
class MaximumOverTheCentres(_Parts):
    def pool(self, found):
        return found.amax(dim=1).relu()


@SetAbstraction.mistake(
    """The ReLU behind the maximum is missing: the next level reads bare linear maps."""
)
class WithoutTheLastRelu(_Parts):
    def pool(self, found):
        return found.amax(dim=2)


@SetAbstraction.mistake(
    """You give the places of the centres as the first result, and the task wants the centres
    themselves, (B, centres, 3)."""
)
class GivesPlaces(_Parts):
    def forward(self, points, features=None):
        _, found = super().forward(points, features)
        return farthest_points(points, self.centres), found


@SetAbstraction.mistake(
    """The features alone. The next level looks for neighbours among the centres: what else must
    come out?"""
)
class GivesFeaturesAlone(_Parts):
    def forward(self, points, features=None):
        return super().forward(points, features)[1]


@SetAbstraction.mistake(
    """The neighbours are looked for among the centres and not among all points, and looked up among
    all points. In which set do your balls lie?"""
)
class AmongTheCentres(_Parts):
    def forward(self, points, features=None):
        centres = self.choose(points)
        index = ball_query(centres, centres, self.radius, self.neighbours)
        balls = self.seen(centres, points, index)
        if features is not None:
            balls = self.beside(balls, gather(features, index))
        return centres, self.pool(self.mlp(balls))


@SetAbstraction.mistake(
    """You see the neighbours from the mean of their ball. From where does the task look at them?"""
)
class FromTheMeanOfTheBall(_Parts):
    def seen(self, centres, points, index):
        ball = gather(points, index)
        return ball - ball.mean(dim=2, keepdim=True)


@SetAbstraction.mistake(
    """Your neighbours are the nearest points, however far they are. What is the radius for?"""
)
class HoweverFar(_Parts):
    def __init__(self, *sizes, **names):
        super().__init__(*sizes, **names)
        self.radius = 1e6
