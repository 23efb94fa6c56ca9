"""Layouts, gradients and memory of what lies inside lists, dicts and the middle of a graph."""

import numpy as np
import pytest
import torch
from checking_helpers import make, message


def layers(x, weights):
    """x through two layers: weights is a dict of a matrix and of a list of two gains."""
    return (x @ weights["W"]) * weights["gains"][0] + x * weights["gains"][1]


def cases(rng):
    for n in (1, 2, 4):
        W, a, b, x = (torch.from_numpy(rng.normal(size=s)) for s in ((3, 3), 3, 3, (n, 3)))
        yield dict(x=x, weights={"W": W, "gains": [a, b]})


def without_gradients(x, weights):
    with torch.no_grad():
        return layers(x, weights)


def one_cut(x, weights):
    return layers(x, {**weights, "W": weights["W"].detach()})


def gains_by_number(x, weights):
    return layers(x, {**weights, "gains": [weights["gains"][0], weights["gains"][1].data]})


@pytest.mark.parametrize(
    "answer, said",
    [
        (without_gradients, "of autograd's graph yours is cut from it"),
        (one_cut, "the gradient with respect to weights.W is cut off"),
        (gains_by_number, "the gradient with respect to weights.gains[1] is cut off"),
        (lambda x, weights: layers(x.requires_grad_(False), weights), "non-leaf"),
    ],
)
def test_gradients_are_judged_where_no_tensor_wants_one(answer, said):
    exercise = make(layers, cases)
    assert exercise.check(lambda x, weights: layers(x, weights))
    text = message(answer, exercise)
    assert said in " ".join(text.split()) or said in text


def test_a_function_without_gradients_needs_none():
    def places(x):
        """The place of the largest number of each row."""
        return x.argmax(-1)

    only = lambda rng: [dict(x=torch.from_numpy(rng.normal(size=(n, 3)))) for n in (1, 4)]  # noqa: E731
    exercise = make(places, only)
    assert exercise.check(lambda x: x.detach().argmax(-1))


def test_arrays_in_a_list_are_tried_as_strided_views():
    def total(parts):
        """The sum of each array's rows."""
        return [part.sum(axis=-1) for part in parts]

    def by_memory(parts):
        owners = [part if part.base is None else part.base for part in parts]
        return [owner.reshape(part.shape[0], -1).sum(-1) for owner, part in zip(owners, parts)]

    def reads_memory(parts):
        return [
            np.frombuffer(part if part.base is None else part.base)[: part.size]
            .reshape(part.shape)
            .sum(-1)
            for part in parts
        ]

    lists = lambda rng: [dict(parts=[rng.normal(size=(n, 3))]) for n in (2, 4)]  # noqa: E731
    exercise = make(total, lists)
    assert exercise.check(by_memory)  # the gaps hold zeros
    assert "strided view" in message(reads_memory, exercise)


def test_a_view_where_a_new_array_is_asked_is_refused():
    def first(parts, k):
        """The first k rows of parts[0], a new array."""
        return {"rows": parts[0][:k].copy()}

    given = lambda rng: [dict(parts=[rng.normal(size=(3, n))], k=n) for n in (1, 2)]  # noqa: E731
    exercise = make(first, given)
    text = " ".join(message(lambda parts, k: {"rows": parts[0][:k]}, exercise).split())
    assert "yours is a view of parts" in text
    first.__doc__ = "The first k rows of parts[0]."
    assert make(first, given).check(lambda parts, k: {"rows": parts[0][:k]})


def test_an_empty_tensor_wants_a_gradient_without_numbers():
    def double(x, y):
        """Twice x, and y."""
        return 2 * x, y + 0

    empty = lambda rng: [dict(x=torch.ones(n), y=torch.ones(n - 1)) for n in (1, 2)]  # noqa: E731
    assert make(double, empty).check(lambda x, y: (x + x, y * 1))
    text = " ".join(message(lambda x, y: (2 * x.detach(), y + 0), make(double, empty)).split())
    assert "cut from autograd's graph" in text


def rows_and_sum(x):
    """A dict: H, the rows doubled, and G, their sum."""
    return {"H": 2 * x, "G": x.sum(0)}


def right_numbers_in_a_tuple(x):
    return 2 * x, x.sum(0)


def wrong_numbers_in_a_list(x):
    return [x.sum(0), 3 * x]


def one_of_them(x):
    return 2 * x


@pytest.mark.parametrize(
    "answer, kind",
    [
        (right_numbers_in_a_tuple, "a tuple"),
        (wrong_numbers_in_a_list, "a list"),
        (one_of_them, "an array"),
    ],
)
def test_another_container_is_named_and_nothing_else_is_guessed(answer, kind):
    arrays = lambda rng: [dict(x=rng.normal(size=(n, 3))) for n in (2, 3, 4)]  # noqa: E731
    text = message(answer, make(rows_and_sum, arrays))
    story = text.split("\n\n")[1]
    assert story == f"The task wants a dict with H and G; yours is {kind}."
    assert "chain" not in text and "shape" not in text


def test_a_list_or_a_set_in_place_of_an_array_is_named():
    def places(x):
        """The places of what is above zero."""
        return np.flatnonzero(x > 0)

    lists = lambda rng: [dict(x=rng.normal(size=n)) for n in (5, 6, 7)]  # noqa: E731
    exercise = make(places, lists)
    for kind in (list, set):
        text = message(lambda x, kind=kind: kind(np.flatnonzero(x > 0).tolist()), exercise)
        assert f"The task wants an array; yours is a {kind.__name__}." in text
