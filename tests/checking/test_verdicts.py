"""What is accepted with a remark, what is no stub, and what ends in a message, not in a crash."""

import time
import tracemalloc

import numpy as np
import pytest
import torch
from checking_helpers import centre, make, message

from tutorial_lib.checking import NotYet
from tutorial_lib.checking.running import OutOfTime, within
from tutorial_lib.exercises.transformer import teach


def test_float64_for_float32_is_right_with_a_remark_unless_the_task_speaks_of_dtypes(capsys):
    def halves(x):
        """Half of x."""
        return x / 2

    single = lambda rng: [dict(x=np.ones(n, np.float32)) for n in (1, 2)]  # noqa: E731
    wide = lambda x: x / np.float64(2) if x.size > 5 else np.float64(0.5) * x.astype(float)  # noqa: E731
    assert make(halves, single).check(wide) is wide
    assert "float64 came out" in capsys.readouterr().out
    text = message(lambda x: x.astype(float), make(halves, single))
    assert "numbers differ" in text or "times the right answer" in text
    assert "dtype" in message(lambda x: (x / 2).astype(np.float16), make(halves, single))
    halves.__doc__ = "Half of x, of x's dtype."
    assert "their dtype is not" in message(wide, make(halves, single))


def buggy(x):
    """Subtract each row's mean."""
    # the bug is here
    return x - x.mean()


def test_the_bug_in_other_words_is_no_empty_exercise(capsys):
    exercise = make(start=buggy)

    def copied(x):
        """Subtract each row's mean."""
        return x - x.mean()

    assert exercise.check(copied) is centre  # the comment went, and nothing else
    assert "not done yet" in capsys.readouterr().out
    text = " ".join(message(lambda x: x - x.sum() / x.size, exercise).split())
    assert "The bug is still there" in text

    def given_back(x):
        raise NotImplementedError

    assert exercise.check(given_back) is centre


def test_more_memory_than_there_is_ends_in_a_message():
    text = message(lambda x: np.ones((10**7, 10**7)) * x.sum())
    assert "more memory than there is" in text and "of <lambda>" in text


def test_a_huge_result_is_not_copied_to_be_compared():
    text = message(lambda x: np.empty(2 * 10**7))
    assert "the shape should be (1, 2), yours is (20000000,)" in text


def test_a_sleep_is_ended_by_the_time_limit():
    started = time.monotonic()
    try:
        within(0.2, time.sleep, 60)
    except OutOfTime:
        pass
    assert time.monotonic() - started < 30


def test_peak_memory_stands_in_the_verdict_where_the_task_is_about_it(capsys):
    def total(x, block):
        """The sum of the squares of x, block by block."""
        return sum(float((x[i : i + block] ** 2).sum()) for i in range(0, len(x), block))

    given = lambda rng: [dict(x=rng.normal(size=n), block=2) for n in (2, 5)]  # noqa: E731
    large = (dict(x=np.ones(10_000), block=10), "Which array is as long as x?")
    exercise = make(total, given, memory=large)
    at_once = lambda x, block: float((x**2).sum())  # noqa: E731
    assert exercise.check(at_once) is at_once
    said = capsys.readouterr().out
    assert "its peak memory is 81 kB" in said and "as long as x?" in said
    tracemalloc.start()  # a learner who counts memory too goes on doing so
    try:
        exercise.check(lambda *arguments: total(*arguments))
        assert tracemalloc.is_tracing()
    finally:
        tracemalloc.stop()
    assert "as small as" in capsys.readouterr().out

    def slow_when_long(x, block):
        while len(x) > 100:
            pass
        return total(x, block)

    assert exercise.check(slow_when_long) is slow_when_long  # right on every try
    assert "not counted: no answer within" in capsys.readouterr().out


def test_a_right_answer_of_the_right_dtype_is_told_nothing_of_dtypes(capsys):
    def halves(x):
        """Half of x; ValueError where there is none."""
        if not x.size:
            raise ValueError("nothing")
        return x / 2

    given = lambda rng: [dict(x=np.ones(n, np.float32)) for n in (1, 2, 0)]  # noqa: E731
    make(halves, given).check(lambda x: halves(x))
    assert "float64" not in capsys.readouterr().out


def test_the_library_s_own_refusal_is_not_called_the_learner_s():
    def tensors(model, optimizer, batches, rate, longest):
        return [torch.tensor(1.0) for _ in batches]

    with pytest.raises(NotYet) as refused:
        teach.check(tensors)
    assert "the list holds tensors" in str(refused.value)
    assert "You refuse" not in str(refused.value) and "of train:" not in str(refused.value)
