"""What is said of slips that nobody foresaw: where it fails, shapes, counts, arguments."""

import numpy as np
import pytest
import torch
from checking_helpers import centre, make, message

from tutorial_lib.checking.comparing import show
from tutorial_lib.checking.shapes import shape_stories


def told(answer, exercise=None):
    return " ".join(message(answer, exercise).split())


def shifted(x, mask, shift):
    """x without what mask hides, plus shift."""
    return (x if mask is None else np.where(mask, x, 0.0)) + shift


def masks(rng):
    for n in (1, 2, 3, 4):
        x = rng.normal(size=(n, 3))
        yield dict(x=x, mask=None, shift=rng.normal(size=3))
        yield dict(x=x, mask=rng.random(size=(n, 3)) > 0.5, shift=rng.normal(size=3))


@pytest.mark.parametrize(
    "answer, said",
    [
        (
            lambda x, mask, shift: shifted(x, mask, shift) + (mask is None) * np.sin(x),
            "Wrong exactly where mask is None; right on the other 8 tries.",
        ),
        (
            lambda x, mask, shift: shifted(x, mask, shift) + (len(x) > 2) * np.sin(x),
            "Wrong exactly where x is square",  # three and four rows: no, see below
        ),
        (lambda x, mask, shift: shifted(x, mask, 0 * shift), "the right answer minus shift"),
        (lambda x, mask, shift: shift + 0 * x, "Yours is"),
        (lambda x, mask, shift: x[:, :-1][5] if mask is None else shifted(x, mask, shift), "None"),
    ],
)
def test_what_the_tries_show_is_told(answer, said):
    if "square" in said:  # no single property parts three and four rows from one and two
        assert "Wrong exactly where" not in told(answer, make(shifted, masks))
    else:
        assert said in told(answer, make(shifted, masks))


def test_an_argument_that_is_left_out_may_be_where_it_fails():
    def scaled(x, factor=2.0):
        """x times factor."""
        return x * factor

    def cases(rng):
        for n in (1, 2, 3):
            yield dict(x=rng.normal(size=(n, 3)), factor=2.0 + n)
            yield dict(x=rng.normal(size=(n, 3)))

    wrong_default = lambda x, factor=1.5: x * factor + (factor == 1.5) * np.sin(x)  # noqa: E731
    assert "Wrong exactly where factor is left out" in told(wrong_default, make(scaled, cases))


def test_an_error_on_other_tries_than_the_shown_one_is_told():
    def answer(x):
        if len(x) == 3:
            return x[7]
        return x * np.sin(x)

    text = told(answer)
    assert "On 2 tries it raises IndexError" in text and "return x[7]" in text


def count(dim, depth, heads):
    """The weights of a stack of layers."""
    return {"all": depth * (12 * dim**2 + 13 * dim), "head": dim // heads}


def sizes(rng):
    for dim, depth, heads in [(1, 1, 1), (4, 2, 2), (6, 3, 2), (8, 5, 4)]:
        yield dict(dim=dim, depth=depth, heads=heads)


@pytest.mark.parametrize(
    "answer, said",
    [
        (
            lambda dim, depth, heads: {
                "all": depth * (12 * dim**2 + 9 * dim),
                "head": dim // heads,
            },
            "all: yours is 4 · dim · depth too few, on every try.",
        ),
        (
            lambda dim, depth, heads: {"all": depth * (13 * dim**2 + 13 * dim), "head": 1},
            "all: yours is dim² · depth too many",
        ),
    ],
)
def test_a_count_is_off_by_a_product_of_sizes(answer, said):
    text = told(answer, make(count, sizes))
    assert said in text
    assert "dim = int 4" in text  # a case of ones only would tell nothing


@pytest.mark.parametrize(
    "wanted, given, said",
    [
        ((2, 3, 4), (3, 4), "Axis -3 of the right shape is missing"),
        ((2, 3, 4), (2, 12), "Axes -2 and -1 of the right shape are joined"),
        ((2, 12), (2, 3, 4), "Axes -2 and -1 of yours should be one"),
        ((2, 12), (2, 1, 12), "an axis too many: its axis -2"),
        ((2, 3, 4), (2, 4, 3), "another order"),
        ((2, 5), (2, 4), "Axis -1 of yours is one too short"),
        ((2, 5), (2, 10), "2 times as long"),
        ((4, 6), (2, 12), "divided among the axes in another way"),
        ((4, 6), (1, 6), "size 1: was it summed over"),
        ((4, 6), (4, 13), "Only axis -1 of yours has another size"),
    ],
)
def test_what_became_of_a_shape(wanted, given, said):
    assert said in shape_stories(wanted, given)[0]


def test_places_of_the_wrong_numbers():
    grid = lambda rng: [dict(x=rng.normal(size=(n, n))) for n in (3, 4, 5)]  # noqa: E731

    def total(x):
        """Sums along the columns."""
        return np.cumsum(x, axis=0)

    def last(x):
        y = np.cumsum(x, axis=0)
        y[-1] += np.sin(x[-1])
        return y

    assert "Wrong only at the last place along axis -2." in told(last, make(total, grid))
    diagonal = lambda x: np.cumsum(x, 0) + np.diag(np.sin(np.diag(x)))  # noqa: E731
    assert "Wrong only on the diagonal." in told(diagonal, make(total, grid))
    elsewhere = lambda x: np.cumsum(x, 0)[::-1][np.r_[1 : len(x), 0]]  # noqa: E731
    assert "The right numbers, but in other places." in told(elsewhere, make(total, grid))


def pair(x):
    """Twice x and its mean."""
    return {"double": 2 * x, "mean": x.mean(axis=-1)}


@pytest.mark.parametrize(
    "answer, said",
    [
        (lambda x: {"double": x**2 + 1, "mean": x.mean(-1)}, "double is wrong already"),
        (lambda x: {"double": 2 * x, "middle": x.mean(-1)}, "lacks 'mean' and has 'middle'."),
        (lambda x: {"double": 2 * x, "mean": x.mean(-1) + 0.1 * x.sum()}, "mean is where"),
    ],
)
def test_named_results_that_are_wrong_or_missing(answer, said):
    assert said in told(answer, make(pair))


def test_as_many_digits_are_shown_as_tell_the_numbers_apart():
    text = message(lambda x: centre(x) * (1 + 1e-5 * np.abs(np.sin(x))))
    assert "expected -1, yours -1.00001" in text
    assert show(np.array([0.25538]), beside=np.array([0.2553801])) == "[0.25538]"
    assert show(np.array([0.25538]), beside=np.array([0.255391])) == "[0.25538]"
    assert show(np.array([0.255391]), beside=np.array([0.25538])) == "[0.255391]"


def test_a_name_needs_more_than_a_shared_error_and_is_contradicted_by_right_tries():
    exercise = make()

    @exercise.mistake("You forget that x has rows.")
    def raises(x):
        raise ValueError("rows")

    @exercise.mistake("You square first.")
    def squares(x):
        return centre(x**2)

    def other_cause(x):
        raise ValueError("rows")

    assert "It raises what this raises: You forget" in told(other_cause, exercise)
    on_three_rows = lambda x: centre(x**2) if len(x) == 3 else centre(x)  # noqa: E731
    assert "square first" not in told(on_three_rows, exercise)


def test_two_mistakes_that_fit_equally_well_are_not_named():
    exercise = make()
    for factor in (2, 3):
        exercise.mistake(f"Row sums times {factor}.")(
            lambda x, f=factor: centre(x) + (f if len(x) > 3 else 2) * np.sin(x)
        )

    def near_both(x):
        return centre(x) + (7 if x.dtype == np.float32 else 2) * np.sin(x)

    assert "Row sums" not in told(near_both, exercise)


def test_small_parts_of_containers_and_gradients_are_shown_in_numbers():
    def product(a, b):
        """a times b, and a."""
        return a * b, a.clone()

    def tensors(rng):
        for n in (1, 3):
            yield dict(a=(torch.ones(n) * 2).requires_grad_(), b=torch.ones(n) * 3)

    exercise = make(product, tensors)
    assert "[0]: tensor (3,) float32\n        [7. 7. 7.]" in message(
        lambda a, b: (a * b + 1, a.clone()), exercise
    )
    text = told(lambda a, b: (a * b + a - a.detach(), a.clone()), exercise)
    assert "respect to a is another one" in text and "numbers differ, first at" in text
