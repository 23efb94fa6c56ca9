"""Our integers against torchao's (github.com/pytorch/ao), version 0.18.0, with PyTorch 2.13.0.

torchao is no dependency, so its numbers were computed once: `quantize_` with `Int8WeightOnlyConfig`
of an `nn.Linear` with these weights, then its `qdata` and `scale`. Its scale lets the largest
weight reach half a step beyond the largest integer: 2 max|w| / (2^b - 1).
"""

import torch

from tutorial_lib.layers.quantization import integer_range, symmetric_scale

WEIGHTS = torch.linspace(-1, 1, 24).sin().view(4, 6) * torch.tensor([[0.1], [1], [3], [10.0]])
WEIGHTS[1] = WEIGHTS[1].flip(0) + 0.05
THEIRS = torch.tensor([
    [-128, -120, -111, -102, -92, -81],
    [2, -25, -51, -78, -103, -128],
    [12, 36, 60, 83, 106, 127],
    [81, 92, 102, 111, 120, 127],
])  # fmt: skip
THEIR_SCALES = torch.tensor([0.0007, 0.0032, 0.0108, 0.0660])


def test_integers_equal_torchaos_with_its_rule_for_the_scale():
    scale = symmetric_scale(WEIGHTS, 8, clip=2 * 127 / 255)
    torch.testing.assert_close(scale, THEIR_SCALES, rtol=0, atol=5e-5)
    found = (WEIGHTS / scale[:, None]).round().clamp(*integer_range(8))
    # A row's largest lies between two integers, 127.5 steps from 0: which one it is, the last bit
    # of its scale decides.
    largest = WEIGHTS.abs() == WEIGHTS.abs().amax(1, keepdim=True)
    assert (found == THEIRS)[~largest].all() and (found - THEIRS).abs().max() <= 1


def test_our_own_rule_gives_other_integers():
    scale = symmetric_scale(WEIGHTS, 8)
    assert ((WEIGHTS / scale[:, None]).round() != THEIRS).sum() > 4  # more than the largest
