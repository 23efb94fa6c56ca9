"""PointNet as a module."""

import torch
from torch import nn

from tutorial_lib.checking.modules import ModuleExercise
from tutorial_lib.layers.shared_mlp import PointNorm


class PointNet(nn.Module):
    """f({x_1, …, x_N}) = γ(max_i h(x_i)): an MLP on every point, the maximum, an MLP on that.

    classes   how many there are to choose from
    widths    features behind each layer of h, such as (64, 128); a point has 3 coordinates
    hidden    features behind each layer of γ but the last, such as (64,)
    dropout   the share of features that is dropped behind each of these

    h is named mlp and γ is named head; both are an `nn.Sequential`. A layer of h is a linear map
    and a `PointNorm`; between two layers stands a ReLU, and none behind the last. A hidden layer of
    γ is a linear map, an `nn.BatchNorm1d`, a ReLU and a dropout; the last layer of γ is a linear
    map alone.
    """

    def __init__(self, classes: int, widths: tuple, hidden: tuple, dropout: float = 0.0):
        """Make h and γ. How many features does the first layer of γ read?"""
        super().__init__()
        layers, read = [], 3
        for width in widths:
            layers += [nn.Linear(read, width), PointNorm(width), nn.ReLU()]
            read = width
        self.mlp = nn.Sequential(*layers[:-1])
        layers = []
        for width in hidden:
            layers += [
                nn.Linear(read, width),
                nn.BatchNorm1d(width),
                nn.ReLU(),
                nn.Dropout(dropout),
            ]
            read = width
        self.head = nn.Sequential(*layers, nn.Linear(read, classes))

    def forward(self, clouds):
        """clouds (B, N, 3)  ->  logits (B, classes)"""
        features = self.mlp(clouds)  # (B, N, widths[-1])
        return self.head(features.amax(dim=1))


def sizes_and_clouds(rng):
    for B, N, classes, widths, hidden, dropout in [
        (2, 3, 4, (5,), (), 0.0),
        (3, 5, 2, (4, 6), (3,), None),  # dropout is left to its default
        (4, 4, 3, (4, 3), (4,), 0.0),  # as many points as clouds and as features
        (2, 7, 5, (3, 5, 4), (6, 3), 0.5),
    ]:
        arguments = dict(classes=classes, widths=widths, hidden=hidden)
        arguments |= {} if dropout is None else {"dropout": dropout}
        clouds = torch.from_numpy(rng.normal(size=(B, N, 3))).float()
        yield dict(arguments=arguments, clouds=clouds)


PointNet = ModuleExercise(
    PointNet,
    level=3,
    minutes=20,
    cases=sizes_and_clouds,
    hints=(
        "`nn.Linear` reads the last axis and leaves the others alone: (B, N, 3) becomes (B, N, "
        "64), the same map for every point. Nothing else is needed to share it.",
        "Collect layers in a list, in a loop over the widths, with the number of features that "
        "the next one reads in a variable. `nn.Sequential(*layers[:-1])` leaves the last ReLU "
        "out.",
        "In `forward`: `self.head(self.mlp(clouds).amax(dim=1))`. A hidden layer of γ is "
        "`[nn.Linear(read, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(dropout)]`, and "
        "behind all of them comes `nn.Linear(read, classes)`.",
    ),
)
_Reference = PointNet.reference


class _Parts(_Reference):
    """The reference in steps, for mistakes that change one of them."""

    def forward(self, clouds):
        return self.answer(self.pool(self.mlp(clouds)))

    def pool(self, features):
        return features.amax(dim=1)

    def answer(self, pooled):
        return self.head(pooled)


@PointNet.mistake(
    """You take the mean over the points. That is symmetric too, and it learns; but each point then
    moves the answer a little, and no few points decide. Which symmetric function stands in f?"""
)
class TakesTheMean(_Parts):
    def pool(self, features):
        return features.mean(dim=1)


@PointNet.mistake(
    """You add up over the points: the features grow with their number. Which symmetric function
    stands in f?"""
)
class TakesTheSum(_Parts):
    def pool(self, features):
        return features.sum(dim=1)


@PointNet.mistake(
    """The maximum runs over the clouds of the batch: what the network says of a chair hangs on what
    else is in the batch. Which axis holds the points?"""
)
class MaximumOverTheClouds(_Parts):
    def pool(self, features):
        return features.amax(dim=0)


@PointNet.mistake(
    """You take the maximum over the features of each point. Which axis holds the points?"""
)
class MaximumOverTheFeatures(_Parts):
    def pool(self, features):
        return features.amax(dim=2)


@PointNet.mistake("""You read the first point alone. Which points does f look at?""")
class ReadsTheFirstPoint(_Parts):
    def pool(self, features):
        return features[:, 0]


@PointNet.mistake(
    """There is a ReLU behind the last layer of h, before the maximum. Where does the task put the
    last one?"""
)
class ReluBeforeTheMaximum(_Parts):
    def pool(self, features):
        return features.relu().amax(dim=1)


@PointNet.mistake(
    """γ answers for every point and the maximum comes last: max γ(h(x)) in place of γ(max h(x)). No
    point can then be weighed against another. Which stands outside in f?"""
)
class MaximumOfTheAnswers(_Parts):
    def forward(self, clouds):
        features = self.mlp(clouds)
        answers = self.head(features.flatten(0, 1)).unflatten(0, features.shape[:2])
        return answers.amax(dim=1)


@PointNet.mistake(
    """You end in a softmax. The loss, `F.cross_entropy`, takes logits and does that itself: of
    probabilities it would take the softmax once more."""
)
class ReturnsProbabilities(_Parts):
    def answer(self, pooled):
        return self.head(pooled).softmax(dim=-1)


@PointNet.mistake(
    """You subtract the mean of the points first. That makes the network blind to moves, which the
    task does not ask for."""
)
class CentersTheCloud(_Parts):
    def forward(self, clouds):
        return super().forward(clouds - clouds.mean(dim=1, keepdim=True))


@PointNet.mistake(
    """The maximum is taken by absolute value: the strongest feature wins with its sign. Which of −5
    and 2 is the maximum?"""
)
class StrongestWithItsSign(_Parts):
    def pool(self, features):
        return features.gather(1, features.abs().argmax(dim=1, keepdim=True))[:, 0]


@PointNet.mistake(
    """Your points are sorted out by a reshape: (B, N, D) is read as (B, D, N), so features of one
    point become those of others. Which function moves axes, and is that needed here?"""
)
class ReshapedBeforeTheMaximum(_Parts):
    def pool(self, features):
        B, N, D = features.shape
        return features.reshape(B, D, N).amax(dim=-1)


@PointNet.mistake(
    """`max(dim=1)` gives two things, the largest numbers and where they stand, and γ is handed
    both. `amax` gives the numbers alone."""
)
class HandsOnThePlacesToo(_Parts):
    def pool(self, features):
        return features.max(dim=1)


@PointNet.mistake(
    """In h you use `nn.BatchNorm1d` as it is. It looks for features on axis 1, where a cloud has
    its points. Which norm does the task name for h?"""
)
class PointsForFeatures(_Parts):
    def __init__(self, *sizes, **names):
        super().__init__(*sizes, **names)
        for i, layer in enumerate(self.mlp):
            if isinstance(layer, PointNorm):
                self.mlp[i] = nn.BatchNorm1d(layer.num_features)


@PointNet.mistake(
    """γ drops nothing in training, where the task asks for a dropout behind each hidden layer. To
    what does your `__init__` hand its `dropout`?"""
)
class DropsNothing(_Parts):
    def __init__(self, *sizes, **names):
        super().__init__(*sizes, **names | {"dropout": 0.0})


@PointNet.mistake(
    """γ drops half, PyTorch's default, whatever share is asked for. To what does your `__init__`
    hand its `dropout`?"""
)
class DropsHalf(_Parts):
    def __init__(self, *sizes, **names):
        super().__init__(*sizes, **names | {"dropout": 0.5})
