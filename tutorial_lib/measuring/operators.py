"""Does another device compute what the CPU does? The operators on which the course's models stand.

An Apple GPU has had silent errors in some versions of PyTorch and macOS, and operators that are
missing; so before anything is trained there, each of these runs on both devices and is compared.
"""

import functools

import torch
import torch.nn.functional as F


def _attention(q, k):
    hidden = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool, device=q.device).tril()
    return F.scaled_dot_product_attention(q, k, k, attn_mask=hidden)


def _bias_by_offset(table, x):
    index = torch.arange(x.shape[-1], device=table.device) % table.shape[-1]
    return table[:, index] + x


def _autocast(a, b):
    with torch.autocast(a.device.type, torch.bfloat16):
        return (a @ b).float()


# name -> (function of tensors, the tensors' shapes, the error allowed relative to the norm)
OPERATORS = {
    "matrix products": (torch.matmul, [(3, 17, 33), (33, 9)], 1e-3),
    "attention with a mask": (_attention, [(2, 3, 7, 8), (2, 3, 7, 8)], 1e-3),
    "LayerNorm": (lambda x: F.layer_norm(x, (33,)), [(5, 33)], 1e-3),
    "BatchNorm": (lambda x: F.batch_norm(x, None, None, training=True), [(4, 6, 5, 5)], 1e-3),
    "GELU": (F.gelu, [(65, 33)], 1e-3),
    "convolutions with a stride": (
        lambda x, w: F.conv2d(x, w, stride=2, padding=1),
        [(2, 3, 9, 9), (4, 3, 3, 3)],
        1e-3,
    ),
    "depthwise convolutions of channels-last tensors": (
        lambda x, w: F.conv2d(x.movedim(-1, 1), w, padding=1, groups=4).movedim(1, -1),
        [(2, 7, 5, 4), (4, 1, 3, 3)],
        1e-3,
    ),
    "cutting out patches": (lambda x: F.unfold(x, 3, padding=1, stride=2), [(2, 3, 9, 9)], 1e-3),
    "rolled and transposed tensors": (
        lambda x: x.roll((-1, -2), (1, 2)).transpose(1, 2).flatten(2) ** 2,
        [(2, 4, 6, 3)],
        1e-3,
    ),
    "looking up a table": (_bias_by_offset, [(2, 5), (2, 13)], 1e-3),
    "cross-entropy": (
        lambda x: F.cross_entropy(x, torch.arange(8, device=x.device)),
        [(8, 10)],
        1e-3,
    ),
    "the largest and its place": (lambda x: x.max(-1).values + x.argmax(-1), [(6, 50)], 1e-3),
    "resizing": (
        lambda x: F.interpolate(x, (7, 9), mode="bicubic", align_corners=False),
        [(1, 3, 4, 4)],
        1e-3,
    ),
    "bfloat16 under autocast": (_autocast, [(16, 64), (64, 16)], 3e-2),
}


@functools.cache  # a device does not change while the process runs
def first_difference(device: str) -> str | None:
    """What this device computes otherwise than the CPU, results and gradients, or cannot: a few
    words for a sentence; None if there is nothing."""
    for name, (function, shapes, allowed) in OPERATORS.items():
        inputs = [torch.randn(s, generator=torch.Generator().manual_seed(7)) for s in shapes]
        try:
            pairs = zip(_answers(function, inputs, device), _answers(function, inputs, "cpu"))
            error = max(((a - b).norm() / b.norm()).item() for a, b in pairs)
        except (RuntimeError, TypeError) as problem:  # NotImplementedError is a RuntimeError
            return f"{name} cannot run there ({str(problem).splitlines()[0][:80]})"
        if not error < allowed:  # NaN is not
            return f"{name} come out otherwise, by {error:.0e} of their size"
    return None


def _answers(function, inputs, device):
    """The result, and the gradients of its sum of squares by the inputs, on the CPU."""
    inputs = [x.to(device, copy=True).requires_grad_() for x in inputs]
    y = function(*inputs)
    gradients = torch.autograd.grad(y.square().sum(), inputs)
    return [x.detach().cpu() for x in (y, *gradients)]
