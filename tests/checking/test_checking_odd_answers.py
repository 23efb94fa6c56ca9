"""Answers that nobody should give: endless, interrupted, of any type. None may break the check."""

import signal
import time
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch
from checking_helpers import make, message

from tutorial_lib.checking.running import OutOfTime, within


def test_an_endless_loop_is_stopped_and_its_line_named():
    def answer(x):
        while True:
            x = x + 1

    started = time.monotonic()
    text = message(answer)
    assert "no answer within 0.5 s" in text
    assert "of answer:" in text
    assert time.monotonic() - started < 30  # stopped, where it would go on for ever


def test_an_endless_loop_is_stopped_in_a_process_that_ignores_ctrl_c():
    """As one does that a script has put into the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(OutOfTime):
            within(0.2, lambda: [None for _ in iter(int, 1)])
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
        assert within(0.2, lambda: 3) == 3
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_endless_loop_that_swallows_an_interrupt_is_stopped_all_the_same():
    swallowed = []

    def answer():
        while len(swallowed) < 2:
            try:
                while True:
                    pass
            except:  # noqa: E722
                swallowed.append(1)
        while True:
            pass

    with pytest.raises(OutOfTime):
        within(0.1, answer)
    assert len(swallowed) == 2


def test_a_recursion_without_end_is_told_in_a_few_lines():
    def answer(x):
        return answer(x)

    text = message(answer)
    assert "RecursionError" in text and "more lines" in text
    assert len(text.splitlines()) < 30


def test_an_error_of_pytorchs_own_is_no_empty_stub():
    def shares(x):
        """The softmax of each row."""
        return x.softmax(-1)

    exercise = make(shares, lambda rng: [dict(x=torch.ones(1, n)) for n in (2, 3)])
    assert "NotImplementedError" in message(lambda x: x.long().softmax(-1), exercise)


def test_a_learners_own_interrupt_is_not_taken_for_an_endless_loop():
    def answer(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make().check(answer)


@pytest.mark.parametrize(
    "nonsense",
    [10**30, Fraction(1, 3), Decimal("0.5"), np.array(None), np.array("a"), np.datetime64("2020")],
    ids=repr,
)
def test_an_answer_of_any_type_is_wrong_and_not_a_crash(nonsense):
    def largest(x):
        """The largest number, as float."""
        return float(x.max())

    exercise = make(largest, lambda rng: [dict(x=rng.normal(size=n)) for n in (2, 3)])
    assert "not right yet" in message(lambda x: nonsense, exercise)


@pytest.mark.parametrize("change", [torch.Tensor.to_sparse, lambda x: x.to("meta")])
def test_a_tensor_that_holds_no_numbers_in_memory_is_wrong_and_not_a_crash(change):
    def double(x):
        """Twice x."""
        return 2 * x

    exercise = make(double, lambda rng: [dict(x=torch.ones(1, n)) for n in (2, 3)])
    assert "not right yet" in message(lambda x: change(2 * x), exercise)


def test_a_large_count_must_be_exact():
    def cube(n):
        """n to the third."""
        return n**3

    exercise = make(cube, lambda rng: [dict(n=n) for n in (10, 10**5)])
    assert "not right yet" in message(lambda n: float(n**3 + (n > 10)), exercise)
