"""What a check says of precision, autograd's graph, gradients and single numbers."""

import numpy as np
import pytest
import torch
from checking_helpers import make, message

from tutorial_lib.checking.comparing import compare


def test_an_eps_in_another_place_is_no_matter_of_containers():
    def shares(x):
        """Rows that sum to one."""
        return x / x.sum(axis=-1, keepdims=True)

    exercise = make(shares, lambda rng: [dict(x=rng.uniform(1, 2, size=(n, 3))) for n in (1, 2, 4)])
    text = message(lambda x: x / (x.sum(axis=-1, keepdims=True) + 1e-6), exercise)
    assert "Nearly right" in text and "times the right answer" not in text
    text = message(lambda x: torch.from_numpy(shares(x)), exercise)
    assert "another kind of container" in text


def test_a_detached_answer_is_told_so():
    def double(x):
        """Twice x."""
        return 2 * x

    cases = lambda rng: [dict(x=torch.ones(2, n, requires_grad=True)) for n in (2, 3)]  # noqa: E731
    text = " ".join(message(lambda x: 2 * x.detach(), make(double, cases)).split())
    assert "is there a `detach`" in text


def test_whole_numbers_of_any_width_are_alike():
    def places(x):
        """The largest of each row."""
        return x.argmax(axis=-1)

    make(places, lambda rng: [dict(x=rng.normal(size=(4, 3)))]).check(
        lambda x: x.argmax(axis=-1).astype(np.int32)
    )
    assert "dtype" in message(
        lambda x: x.argmax(-1).astype(float), make(places, lambda rng: [dict(x=np.eye(3))])
    )


@pytest.mark.parametrize(
    "answer, said",
    [
        (lambda a, b: a.detach() * b, "the gradient with respect to a is cut off"),
        (lambda a, b: a * b.detach(), "the gradient with respect to b is cut off"),
        (lambda a, b: a * b + a - a.detach(), "the gradient with respect to a is another one"),
    ],
)
def test_the_argument_that_no_right_gradient_reaches_is_named(answer, said):
    def product(a, b):
        """a times b."""
        return a * b

    def cases(rng):
        for n in (1, 3):
            a, b = (torch.from_numpy(rng.normal(size=n)).requires_grad_() for _ in "ab")
            yield dict(a=a, b=b)

    exercise = make(product, cases)
    assert exercise.check(lambda a, b: b * a)
    text = message(answer, exercise)
    assert said in text and "right numbers, but" in text
    assert text.count("with respect to") == 1

    @exercise.mistake("You cut b.")
    def cuts_b(a, b):
        return a * b.detach()

    assert ("You cut b." in message(answer, exercise)) == ("respect to b" in said)


def test_a_gradient_that_the_reference_itself_lacks_is_asked_of_nobody():
    def rounded(x):
        """The root of each number above zero, and zero elsewhere."""
        return torch.where(x > 0, x, 0.0).sqrt()  # 0 times infinity: NaN flows back to x <= 0

    def safe(x):
        return torch.where(x > 0, x.clamp(min=1e-30).sqrt(), 0.0)

    cases = lambda rng: [dict(x=torch.tensor([4.0, -1.0], requires_grad=True))]  # noqa: E731
    assert make(rounded, cases).check(safe) is safe


class BrokenBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, gradient):
        raise ArithmeticError("not derived yet")


def double(x):
    """Twice x."""
    return 2 * x


def ones(rng):
    yield from (dict(x=torch.ones(2, n, requires_grad=True)) for n in (2, 3))


def test_a_way_back_that_raises_is_not_called_cut_off():
    text = message(BrokenBackward.apply, make(double, ones))
    assert "autograd cannot go back through them" in text and "cut" not in text
    assert "ArithmeticError: not derived yet" in text
    with pytest.raises(ArithmeticError):  # in a reference it is the author's to mend
        make(lambda x: BrokenBackward.apply(x), ones).check(double)


@pytest.mark.parametrize(
    "answer",
    [lambda x: torch.zeros_like(x), lambda x: 7 * x.detach(), lambda x: 7 * x.detach().double()],
)
def test_wrong_numbers_of_another_dtype_or_off_the_graph_are_not_called_right(answer):
    text = message(answer, make(double, ones))
    assert "numbers are right" not in text and "numbers differ" in text


def test_float64_where_float32_was_given_says_where_it_may_come_from():
    def root(x):
        """x over the root of two, in x's dtype."""
        return x / 2**0.5

    exercise = make(root, lambda rng: [dict(x=np.ones(n, np.float32)) for n in (1, 2)])
    text = " ".join(message(lambda x: x / np.sqrt(2), exercise).split())
    assert "2 ** 0.5 is a plain one" in text


def test_a_float_is_no_whole_number():
    def half(n):
        """Half of n, rounded down: two ints, the half and the rest."""
        return n // 2, n % 2

    exercise = make(half, lambda rng: [dict(n=n) for n in (1, 4, 7)])
    assert exercise.check(lambda n: (np.int64(n // 2), n % 2))
    assert "but floats" in message(lambda n: (np.floor(n / 2), n % 2), exercise)
    assert "expected 0, yours 9" in message(lambda n: (n + 8.0, n % 2), exercise)


@pytest.mark.parametrize("expected, actual", [([-np.inf, 1.0], [5.0, 1.0]), ([np.inf], [-np.inf])])
def test_infinity_is_near_nothing_but_itself(expected, actual):
    assert compare(np.array(expected), np.array(actual))
    assert not compare(np.array(expected), np.array(expected))


def test_any_single_number_is_a_factor_so_none_is_named_unless_two_agree():
    def largest(x):
        """The largest number, as float."""
        return float(x.max())

    exercise = make(largest, lambda rng: [dict(x=rng.normal(size=n)) for n in (2, 3, 5)])
    assert "factor" not in message(lambda x: float(x.max() ** 3 + 1), exercise)
    assert "Wherever it fails, yours is 2 times" in message(lambda x: 2 * float(x.max()), exercise)
    once = make(largest, lambda rng: [dict(x=rng.normal(size=3))])
    assert "times the right answer" not in message(lambda x: float(x.min()), once)


def test_nan_on_one_extreme_try_does_not_hide_what_explains_the_others():
    def shares(x):
        """Rows of exponentials that sum to one, for numbers of any size."""
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)

    def extreme(rng):
        yield from (dict(x=rng.normal(size=(n, 3))) for n in (1, 2, 4))
        yield dict(x=np.array([[1000.0, 0, 0]]))

    exercise = make(shares, extreme)

    @exercise.mistake("Your rows do not sum to one.")
    def not_divided(x):
        return np.exp(x - x.max(axis=-1, keepdims=True))

    def both(x):
        with np.errstate(all="ignore"):
            e = np.exp(x)
            return e / e.max(axis=-1, keepdims=True)

    text = " ".join(message(both, exercise).split())
    assert "On 6 of 8 wrong tries this fits: Your rows do not sum to one." in text
    assert text.index("do not sum") < text.index("NaN appears")

    def overflows(x):
        with np.errstate(all="ignore"):
            return np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)

    text = message(overflows, exercise)
    assert "NaN appears" in text and "do not sum" not in text

    def odd(x):
        with np.errstate(all="ignore"):
            return np.exp(2 * x) / np.exp(2 * x).sum(axis=-1, keepdims=True)

    text = " ".join(
        message(odd, exercise).split()
    )  # wrong on all eight tries, and NaN on two of them
    assert "On 2 of 8 wrong tries: NaN appears" in text
