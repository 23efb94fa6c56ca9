"""Kernels from a notebook: launched with room around every array, or not at all, with a reason."""

import subprocess
import sys

import pytest
import torch

from tutorial_lib.kernels.language import FILLER, launch, load_rows, store_rows, tl, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason="no kernel can run here")


def double(X, out, length, BLOCK: tl.constexpr):
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(X + place, mask=place < length, other=0.0)
    tl.store(out + place, 2 * x, mask=place < length)


def double_whole_blocks(X, out, length, BLOCK: tl.constexpr):
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out + place, 2 * tl.load(X + place))


def halve_the_input(X, out, length, BLOCK: tl.constexpr):
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(X + place, mask=place < length, other=0.0)
    tl.store(X + place, x / 2, mask=place < length)
    tl.store(out + place, 2 * x, mask=place < length)


def copy_rows(X, out, length, D: tl.constexpr, BLOCK: tl.constexpr):
    rows = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    store_rows(out, rows, length, load_rows(X, rows, length, D), D)


def raises(X, out, length, BLOCK: tl.constexpr):
    raise KeyError("mine")


X = torch.arange(10.0)


def test_the_tail_is_written_and_nothing_behind_it():
    out, outside = launch(double, 3, [X], (10,), 10, BLOCK=4)
    assert torch.equal(out, 2 * X) and outside == 0


@pytest.mark.parametrize("kernel, changed", [(double_whole_blocks, 2), (halve_the_input, 9)])
def test_what_is_changed_elsewhere_is_counted(kernel, changed):
    out, outside = launch(kernel, 3, [X], (10,), 10, BLOCK=4)
    assert torch.equal(out, 2 * X) and outside == changed  # half of 0 is 0
    assert torch.equal(X, torch.arange(10.0))


def test_what_no_program_writes_is_no_answer_by_chance():
    out, _ = launch(double, 1, [X], (10,), 10, BLOCK=4)
    assert torch.equal(out[4:], torch.full((6,), FILLER))


def test_rows_past_the_end_are_left_out():
    x = torch.randn(5, 4)
    out, outside = launch(copy_rows, 2, [x], (5, 4), 5, D=4, BLOCK=4)
    assert torch.equal(out, x) and outside == 0


def test_what_a_kernel_raises_comes_through():
    with pytest.raises(KeyError, match="mine"):
        launch(raises, 1, [X], (10,), 10, BLOCK=4)


def test_where_triton_is_missing_the_courses_version_takes_the_place_with_a_sentence():
    """In a process where it cannot be imported: nothing else stops working."""
    code = """if True:
        import sys
        sys.modules["triton"] = None
        from tutorial_lib.exercises import self_attention
        from tutorial_lib.kernels.language import tl
        for exercise in (self_attention.softmax_row, self_attention.flash_tile):
            exec(exercise.stub(), {"tl": tl})
            assert exercise.check(lambda *arguments: None) is exercise.reference
    """
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8")
    assert run.stdout.count("Triton is not installed here") == 2, run.stderr
