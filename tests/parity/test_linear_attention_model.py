"""Causal linear attention against PyPI pytorch-fast-transformers 0.4.0, the paper's own code.

That package is built from C++ and is not among the course's dependencies: the numbers below are
what its `CausalLinearAttention` and autograd gave for these inputs, in float32 (2026-11-28, CPU).
"""

import torch

from tutorial_lib.layers.linear_attention import (
    attend_in_chunks,
    cumulative_attention,
    phi,
)

OUT = """
 0.000000  0.000000   0.055939 -0.110758   0.002702 -0.183366   0.115792 -0.354585
-0.080988 -0.509079"""
DQ = """
 0.000000  0.000000  0.000000  -0.009117  0.007373  0.008374   0.007227 -0.003091 -0.010707
 0.004905  0.004228 -0.005930  -0.010266 -0.005651  0.008001"""
DK = """
-0.005692 -0.022386 -0.019932   0.002863  0.003224 -0.018775  -0.012957 -0.003015 -0.032422
 0.002457  0.005445  0.007107   0.009004  0.016786  0.044157"""
DV = """
 0.671210  0.134242  -0.111628 -0.303158   0.004408  0.057623   0.223427  0.054414
-0.042538 -0.266378"""


def read(text, columns):
    return torch.tensor([float(word) for word in text.split()]).view(-1, columns)


def test_equals_fast_transformers_forward_and_backward():
    i = torch.arange(5.0)[:, None]
    q = torch.sin(i + 2 * torch.arange(3.0)).requires_grad_()
    k = torch.cos(2 * i - torch.arange(3.0)).requires_grad_()
    v = torch.sin(3 * i * torch.arange(1.0, 3.0)).requires_grad_()
    dy = torch.cos(torch.arange(10.0)).view(5, 2)
    for form in (cumulative_attention, lambda *x: attend_in_chunks(*x, chunk=2)[0]):
        y = form(phi(q), phi(k), v)
        found = [y, *torch.autograd.grad(y, (q, k, v), dy)]
        for x, wanted in zip(found, (read(OUT, 2), read(DQ, 3), read(DK, 3), read(DV, 2))):
            torch.testing.assert_close(x, wanted, rtol=0, atol=3e-6)
