"""A feature map that makes every weight positive."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import linear_attention as np_linear


def numbers(rng):
    yield dict(x=np.array([-2.0, -0.5, 0.0, 0.5, 2.0]))
    for shape in [(3,), (2, 3), (1, 4, 2)]:
        yield dict(x=2 * rng.normal(size=shape))
    yield dict(x=np.array([[-800.0, 0.0], [3.0, 800.0]]))  # exp(800) overflows
    yield dict(x=rng.normal(size=(2, 3)).astype(np.float32))


class Quiet(Exercise):
    """An exercise whose task also forbids NumPy's warnings."""

    def beside_the_tries(self, answer):
        with np.errstate(over="raise", invalid="raise"):
            try:
                answer(np.array([-800.0, 0.0, 800.0]))
            except FloatingPointError as error:
                return (
                    f"the numbers are right, but x = 800 warns: {error}. `np.where` computes both "
                    "sides everywhere. What is exp given where its result is not chosen?"
                )
        return ""


elu_plus_one = Quiet(
    np_linear.elu_plus_one,
    level=1,
    minutes=5,
    cases=numbers,
    hints=(
        "Two pieces, chosen number by number. What are they worth just left and just right of "
        "zero?",
        "`np.where(condition, this, that)` chooses, and computes both sides everywhere first. "
        "What does exp make of a large x that will not be chosen?",
        "`np.where(x > 0, x + 1, ...)`, and on the other side the exp of `np.minimum(x, 0)`, "
        "which is x where it counts.",
    ),
)


@elu_plus_one.mistake(
    """This is elu alone, without the one: between −1 and 0 on the left. Weights made of it can be
    negative, and their sum zero. Where does the +1 go?"""
)
def without_the_one(x):
    return np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1)


@elu_plus_one.mistake(
    """Yours jumps at zero, from 1 on the left to 0 on the right: the one is missing above zero.
    What must the two pieces agree in?"""
)
def one_missing_above(x):
    return np.where(x > 0, x, np.exp(np.minimum(x, 0)))


@elu_plus_one.mistake(
    """Yours jumps at zero, to 2 on the left: you add one to exp(x) as well. elu is exp(x) − 1
    there, and one of the two ones is gone. What is left?"""
)
def one_too_many_below(x):
    return np.where(x > 0, x + 1, np.exp(np.minimum(x, 0)) + 1)


@elu_plus_one.mistake(
    """exp everywhere. That is positive too, but it overflows where x is large, and the task's φ
    grows no faster than x. What stands above zero?"""
)
def exponential_everywhere(x):
    with np.errstate(over="ignore"):  # the learner hears of their own warnings alone
        return np.exp(x)


@elu_plus_one.mistake(
    """A relu plus one: flat below zero, so no gradient comes back from there, and no weight can
    ever fall below that of x = 0. What does the task put in the place of the flat piece?"""
)
def relu_plus_one(x):
    return np.maximum(x, 0) + 1


@elu_plus_one.mistake(
    """The two pieces are exchanged: exp where x is positive, x + 1 where it is negative, and x +
    1 is below zero from −1 on. Which side is which?"""
)
def sides_exchanged(x):
    with np.errstate(over="ignore"):
        return np.where(x > 0, np.exp(x), x + 1)


@elu_plus_one.mistake(
    """This is the softplus, ln(1 + exp x). It is smooth and positive as well, but another
    function: at zero it is 0.69. What is φ(0) in the task?"""
)
def softplus(x):
    return np.logaddexp(0, x)
