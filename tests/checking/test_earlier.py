"""A wrong answer that calls another wrong answer: which of the two is told to be mended."""

import textwrap

import numpy as np
import torch
from checking_helpers import message

from tutorial_lib.checking.earlier import wrong_parts
from tutorial_lib.exercises import self_attention, windows

SOFTMAX = """
def softmax(S):
    with np.errstate(all="ignore"):
        e = np.exp(S - S.max(axis=-1, keepdims=True))
        return e / e.sum({axis}, keepdims=True)
"""
ATTENTION = """
def scaled(Q, K):
    return Q @ np.swapaxes(K, -1, -2) / Q.shape[-1] ** 0.5


def weights(S, mask):
    if mask is None:
        return softmax(S)
    return np.nan_to_num(softmax(np.where(mask, S, -np.inf)))


def attention(Q, K, V, mask=None):
    P = weights({scores}, mask)
    return P @ V, P
"""
BLOCK = """
class Attend(exercise.WindowAttention.reference):
    def forward(self, x, mask=None):
        return super().forward(x)

class WindowAttention(Attend): pass

class SwinBlock(exercise.SwinBlock.reference):
    def __init__(self, dim, heads, hidden, window, shift):
        super().__init__(dim, heads, hidden, window, shift)
        self.attention = WindowAttention(dim, heads, window)
"""


def notebook(*cells, **names):
    """What stands in a notebook after these cells."""
    space = {"__name__": "a notebook", "np": np, "torch": torch} | names
    for cell in cells:
        exec(textwrap.dedent(cell), space)
    return space


def told_of_attention(axis, scores):
    space = notebook(SOFTMAX.format(axis=axis), ATTENTION.format(scores=scores))
    told = message(space["attention"], self_attention.attention)
    assert space["softmax"](np.ones((2, 4)))[0, 0] in (0.25, 0.5)  # the learner's own, as before
    return told


def test_an_answer_that_is_right_in_itself_is_told_whose_fault_it_is():
    told = told_of_attention("axis=0", "scaled(Q, K)")
    assert "right in itself, but it calls your softmax, which is not right yet" in told


def test_an_answer_that_is_wrong_too_is_told_its_own_mistake():
    told = told_of_attention("axis=0", "Q @ np.swapaxes(K, -1, -2)")
    alone = told_of_attention("axis=-1", "Q @ np.swapaxes(K, -1, -2)")
    assert "(Tried with the course's softmax: yours is not right yet.)" in told
    assert (
        told.replace("(Tried with the course's softmax: yours is not right yet.)\n\n", "") == alone
    )


def test_a_wrong_part_that_is_not_called_is_not_to_blame():
    own = """
    def attention(Q, K, V):
        S = Q @ np.swapaxes(K, -1, -2)
        S = torch.from_numpy(S).softmax(dim=-1).numpy()
        return S @ V, S
    """
    space = notebook(SOFTMAX.format(axis="axis=0"), own)
    assert wrong_parts(self_attention.attention, space["attention"]) == {}


def test_a_class_that_a_class_is_made_of():
    space = notebook(BLOCK, exercise=windows)  # forgets the mask
    told = message(space["SwinBlock"], windows.SwinBlock)
    assert "it calls your WindowAttention, which is not right yet" in told
