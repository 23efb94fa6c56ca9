"""Chapter 08's family: what a learner writes is what the models of the library do."""

import torch

from tutorial_lib.exercises import windows as exercise
from tutorial_lib.layers import windows as library
from tutorial_lib.models.backbones import cswin, msg


def test_the_attention_of_the_exercise_is_that_of_the_library():
    torch.manual_seed(0)
    theirs = exercise.CrossShapedAttention.reference(8, 4, 2)
    ours, x = cswin.CrossShapedAttention(8, 4, 2), torch.randn(2, 4, 6, 8)
    weights = {name.replace(".convolve", ""): w for name, w in theirs.state_dict().items()}
    ours.load_state_dict(weights)
    torch.testing.assert_close(theirs(x), ours(x))


def test_shuffle_and_trade_of_the_exercises_are_those_of_the_library():
    x = torch.randn(2, 6, 20, 8)
    assert exercise.spread.reference(x, 3, 5).equal(library.spread(x, 3, 5))
    assert exercise.gather.reference(x, 3, 5).equal(library.gather(x, 3, 5))
    assert exercise.trade.reference(x, 2).equal(msg.trade(x, 2))
