"""Attention in windows that are moved: a bug to find."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch.attention import attention
from tutorial_lib.from_scratch.windows import shift_mask, window_partition, window_reverse


def shifted_attention(x, window, shift):
    """Attention in windows that begin `shift` tokens further down and to the right, where the
    grid's border cuts some of them. No weights: a token is its own query, key and value.

    x (B, H, W, C); window  a side that divides H and W; shift  0 … window − 1
    ->  (B, H, W, C): what each token found, at the place of that token
    """
    H, W = x.shape[1:3]
    x = np.roll(x, (-shift, -shift), axis=(1, 2))
    tokens = window_partition(x, window, window)  # (B, n, N, C)
    found, _ = attention(tokens, tokens, tokens, shift_mask(H, W, window, shift))
    x = window_reverse(found, window, window, H, W)
    return np.roll(x, (shift, shift), axis=(1, 2))


def buggy_shifted_attention(x, window, shift):
    """Attention in windows that begin `shift` tokens further down and to the right, where the
    grid's border cuts some of them. No weights: a token is its own query, key and value.

    x (B, H, W, C); window  a side that divides H and W; shift  0 … window − 1
    ->  (B, H, W, C): what each token found, at the place of that token

    This version has all shapes right, and a model with it even trains. But a token gets what
    another one has found. Find the one wrong line.
    """
    H, W = x.shape[1:3]
    x = np.roll(x, (-shift, -shift), axis=(1, 2))
    tokens = window_partition(x, window, window)  # (B, n, N, C)
    found, _ = attention(tokens, tokens, tokens, shift_mask(H, W, window, shift))
    x = window_reverse(found, window, window, H, W)
    return np.roll(x, (-shift, -shift), axis=(1, 2))


def grids_and_shifts(rng):
    for B, H, W, C, window, shift in [
        (1, 3, 3, 2, 3, 1),
        (1, 6, 3, 2, 3, 2),
        (2, 4, 6, 3, 2, 1),
        (1, 8, 4, 1, 4, 1),
        (2, 6, 6, 2, 3, 0),
        (1, 4, 8, 2, 4, 3),
    ]:
        yield dict(x=3 * rng.normal(size=(B, H, W, C)), window=window, shift=shift)


shifted_attention = Exercise(
    shifted_attention,
    start=buggy_shifted_attention,
    level=2,
    minutes=5,
    cases=grids_and_shifts,
    hints=(
        "Replace the attention by nothing, `found = tokens`. What must come out for each x, and "
        "what does?",
        "Five steps go from the grid to attention and back. Each on the way back undoes one on the "
        "way there.",
        "`np.roll(x, 2)` moves to the right, `np.roll(x, -2)` to the left. What does the last line "
        "do, and what should it undo?",
    ),
)


def _shifted(x, window, shift, *, there=None, back=None, mask=True):
    """`shifted_attention` with one of its steps changed: shifts (rows, columns) there and back."""
    H, W = x.shape[1:3]
    there = (-shift, -shift) if there is None else there
    back = (shift, shift) if back is None else back
    tokens = window_partition(np.roll(x, there, axis=(1, 2)), window, window)
    masked = shift_mask(H, W, window, shift) if mask else None
    found, _ = attention(tokens, tokens, tokens, masked)
    return np.roll(window_reverse(found, window, window, H, W), back, axis=(1, 2))


@shifted_attention.mistake(
    """You dropped the last roll: what token (0, 0) found now lies at the place where the rolled
    grid had it. Who adds this to x, as a residual does, adds a neighbour's answer to each token."""
)
def stays_rolled(x, window, shift):
    return _shifted(x, window, shift, back=(0, 0))


@shifted_attention.mistake(
    """You turned the first roll round, not the last. Now both go down and to the right, the windows
    begin elsewhere, and the mask does not fit them."""
)
def rolls_down_twice(x, window, shift):
    return _shifted(x, window, shift, there=(shift, shift))


@shifted_attention.mistake(
    """Now both rolls are turned round. What comes back lies in its place, but the windows begin
    elsewhere and the mask, made for a roll up and to the left, hides the wrong tokens."""
)
def the_other_way_there_and_back(x, window, shift):
    return _shifted(x, window, shift, there=(shift, shift), back=(-shift, -shift))


@shifted_attention.mistake(
    """The rolls are right, and the mask is gone: in the last windows, tokens from opposite edges of
    the grid attend to each other. It was not the mask that was wrong."""
)
def without_the_mask(x, window, shift):
    return _shifted(x, window, shift, mask=False)


@shifted_attention.mistake(
    """The rows are back in their places and the columns are not. Along which axes did the first
    line roll?"""
)
def rolls_rows_back(x, window, shift):
    return _shifted(x, window, shift, back=(shift, 0))


@shifted_attention.mistake(
    """You took both rolls out: these are the windows that do not move. The mask still hides what
    lies beside each other. Which of the rolls was wrong?"""
)
def no_rolls(x, window, shift):
    return _shifted(x, window, shift, there=(0, 0), back=(0, 0))


@shifted_attention.mistake(
    """What you add in the last line is twice the shift; but the roll of the first line was by one
    shift. What undoes a roll by −shift?"""
)
def rolls_back_twice(x, window, shift):
    return _shifted(x, window, shift, back=(2 * shift, 2 * shift))


@shifted_attention.mistake(
    """The last roll goes along axes 0 and 1, batch and rows, or over the flattened array. Which
    axes of (B, H, W, C) are the grid's?"""
)
def rolls_the_batch(x, window, shift):
    y = _shifted(x, window, shift, back=(0, 0))
    return np.roll(y, (shift, shift), axis=(0, 1))


@shifted_attention.mistake(
    """You took out rolls and mask: these are the windows that do not move, and two neighbours at a
    border never meet. Which of the rolls was wrong?"""
)
def plain_windows(x, window, shift):
    return _shifted(x, window, shift, there=(0, 0), back=(0, 0), mask=False)


@shifted_attention.mistake(
    """Both rolls of yours move the rows and not the columns (along axes 0 and 1, perhaps): windows
    begin further down and not further to the right. Which axes are the grid's?"""
)
def rows_alone(x, window, shift):
    return _shifted(x, window, shift, there=(-shift, 0), back=(shift, 0))
