"""Chapter 19: what the learner writes is what the library does; the goal of "from nothing"."""

import pytest
import torch
from torch import nn

from tutorial_lib.exercises import pointnet
from tutorial_lib.exercises.pointnet import from_nothing
from tutorial_lib.layers import point_sets, voxels
from tutorial_lib.models.pose.pointnet import PointNet, orthogonality
from tutorial_lib.models.pose.pointnet2 import SetAbstraction


@pytest.mark.parametrize(
    "name, function",
    [
        ("farthest_points", point_sets.farthest_points),
        ("ball_query", point_sets.ball_query),
        ("interpolate", point_sets.interpolate),
        ("voxelize", voxels.voxelize),
        ("orthogonality", orthogonality),
    ],
)
def test_a_reference_gives_what_the_library_gives(name, function):
    exercise = getattr(pointnet, name)
    assert exercise.check(function) is function


@pytest.mark.parametrize(
    "exercise, library",
    [(pointnet.PointNet, PointNet), (pointnet.SetAbstraction, SetAbstraction)],
    ids=["PointNet", "SetAbstraction"],
)
def test_a_learners_class_takes_the_librarys_weights_and_gives_the_same(exercise, library):
    for case in exercise.all_cases():
        arguments, *inputs = case.values()
        theirs = library(**arguments).eval()
        yours = exercise.reference(**arguments).eval()
        yours.load_state_dict(theirs.state_dict())
        pairs = yours(*inputs), theirs(*inputs)
        for a, b in zip(*pairs) if isinstance(pairs[0], tuple) else [pairs]:
            torch.testing.assert_close(a, b)


class Pooled(nn.Module):
    """A network whose pooling is given."""

    def __init__(self, pool):
        super().__init__()
        torch.manual_seed(0)
        self.point, self.answer, self.pool = nn.Linear(3, 8), nn.Linear(8, 10), pool

    def forward(self, clouds):
        return self.answer(self.pool(self.point(clouds).relu()))


def test_from_nothing_wants_a_function_of_the_set_that_no_double_point_moves():
    said = pointnet.pointnet_from_nothing.properties
    tried = {
        "maximum": lambda H: H.amax(1),
        "mean": lambda H: H.mean(1),
        "first": lambda H: H[:, 0],
        "over the batch": lambda H: H.amax((0, 1)),
        "with the batch": lambda H: H.amax(1) + H.mean((0, 1)),
    }
    found = {name: [holds(Pooled(pool)) for holds in said.values()] for name, pool in tried.items()}
    assert found == {
        "maximum": [True, True, True, True],
        "mean": [True, True, False, True],
        "first": [False, True, True, True],
        "over the batch": [True, False, True, False],
        "with the batch": [True, True, False, False],
    }
    assert from_nothing.unseen(Pooled(tried["maximum"]).eval()) < 0.5
