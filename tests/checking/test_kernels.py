"""Checks of kernels: decorated or not, in another style, and what cannot run."""

import pytest
from checking_helpers import message

from tutorial_lib.exercises.self_attention.rows import softmax_row
from tutorial_lib.kernels import language
from tutorial_lib.kernels.language import tl, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason="no kernel can run here")


def own_softmax(S, P, M, BLOCK: tl.constexpr):
    j = tl.arange(0, BLOCK)
    s = tl.load(S + tl.program_id(0) * M + j, mask=j < M, other=-float("inf"))
    e = tl.exp(s - tl.max(s, 0))
    tl.store(P + tl.program_id(0) * M + j, e / tl.sum(e, 0), mask=j < M)


def test_a_kernel_is_given_back_decorated_or_not():
    assert softmax_row.check(own_softmax) is own_softmax
    assert softmax_row.check(language.jit(own_softmax)) is own_softmax


def test_an_error_shows_the_learners_own_line():
    def slices(S, P, M, BLOCK: tl.constexpr):
        i = tl.program_id(0)
        s = S[i * M : (i + 1) * M]
        tl.store(P, s)

    text = message(slices, softmax_row)
    assert "s = S[i * M : (i + 1) * M]" in text and "interpreter" not in text


def test_where_no_kernel_can_run_the_reference_steps_in(monkeypatch, capsys):
    monkeypatch.setattr(softmax_row, "why_not", lambda: "there is no device")
    assert softmax_row.check(own_softmax) is softmax_row.reference
    assert "there is no device. The course's own version" in capsys.readouterr().out

    def empty(S, P, M, BLOCK: tl.constexpr):
        """To be written."""
        raise NotImplementedError  # your turn

    assert softmax_row.check(empty) is softmax_row.reference
    assert "not done yet" in capsys.readouterr().out
