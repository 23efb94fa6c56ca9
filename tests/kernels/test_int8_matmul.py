"""The Triton kernel of a quantized linear map against int64 arithmetic.

Without a GPU it runs in Triton's interpreter, which must be asked for before Triton is first
imported anywhere in this process: hence the lines above the imports.
"""

import os

import pytest
import torch

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"

pytest.importorskip("triton", reason="Triton is published for Linux only")

from tutorial_lib.kernels.int8_matmul import int8_linear  # noqa: E402

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SIZES = [(1, 1, 1), (17, 33, 5), (16, 32, 16), (40, 70, 35)]  # N, K, M: tiles and tails of one


def integers(rows, columns, seed):
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(-128, 128, (rows, columns), generator=draw).to(torch.int8).to(DEVICE)


@pytest.mark.parametrize("N, K, M", SIZES)
def test_equals_int64_arithmetic(N, K, M):
    q_x, q_w = integers(N, K, 0), integers(K, M, 1)
    scale, shift = torch.rand(M).to(DEVICE) + 0.5, torch.randn(M).to(DEVICE)
    exact = (q_x.cpu().long() @ q_w.cpu().long()).double()
    expected = exact * scale.cpu().double() + shift.cpu().double()
    found = int8_linear(q_x, q_w, scale, shift).cpu()
    torch.testing.assert_close(found, expected.float(), rtol=1e-6, atol=1e-6)


def test_the_extremes_do_not_overflow_and_any_layout_will_do():
    least = torch.full((3, 300), -128, dtype=torch.int8, device=DEVICE)
    one, zero = torch.ones(2, device=DEVICE), torch.zeros(2, device=DEVICE)
    assert (int8_linear(least, least[:2].mT, one, zero) == 300 * 128 * 128).all()
    wide = integers(20, 80, 2)
    every_other, turned = wide[:, ::2], integers(7, 40, 3).mT
    found = int8_linear(every_other, turned, torch.ones(7).to(DEVICE), torch.zeros(7).to(DEVICE))
    assert (found.cpu().long() == every_other.cpu().long() @ turned.cpu().long()).all()


@pytest.mark.parametrize(
    "change, error, told",
    [
        ({"q_x": torch.zeros(2, 3)}, TypeError, "q_x is torch.float32; expected torch.int8"),
        ({"q_w": torch.zeros(4, 2, dtype=torch.int8)}, ValueError, "expected (N, 4)"),
        ({"scale": torch.ones(3)}, ValueError, "scale has shape (3,); expected (2,)"),
        ({"q_x": torch.zeros(3, dtype=torch.int8)}, ValueError, "expected two axes"),
    ],
)
def test_a_wrong_argument_is_refused_with_what_was_expected(change, error, told):
    given = {"q_x": integers(2, 3, 0), "q_w": integers(3, 2, 1)}
    given |= {"scale": torch.ones(2).to(DEVICE), "shift": torch.zeros(2).to(DEVICE)}
    given |= {name: x.to(DEVICE) for name, x in change.items()}
    with pytest.raises(error) as refused:
        int8_linear(**given)
    assert told in str(refused.value)
