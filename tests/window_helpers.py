"""What tests of backbones with windows share: weights by a rule, and who reaches whom."""

import torch


@torch.no_grad()
def by_rule(model):
    """The model in float64 and testing mode, its weights numbers in −1 … 1 that a rule gives, so
    that another program can have the same: in the order of the names, place k of tensor i has
    ((389k² + 577k + 131i) mod 1009) · 2 / 1009 − 1, divided by √(fan-in) in matrices and kernels,
    and one more where a norm multiplies or divides."""
    model.double().eval()
    for i, (name, tensor) in enumerate(sorted(model.state_dict().items())):
        if not tensor.is_floating_point():
            continue
        k = torch.arange(tensor.numel())
        values = ((389 * k * k + 577 * k + 131 * i) % 1009).double() * 2 / 1009 - 1
        fan_in = tensor[0].numel() if tensor.ndim > 1 else 1
        scales = tensor.ndim == 1 and name.endswith((".weight", ".running_var"))
        tensor.copy_(values.view_as(tensor) / fan_in**0.5 + scales)
    return model


def images_by_rule(count, channels, side):
    """Images float64 (count, channels, side, side) by the same rule, in −1 … 1."""
    k = torch.arange(count * channels * side * side)
    values = ((389 * k * k + 577 * k) % 1009).double() * 2 / 1009 - 1
    return values.view(count, channels, side, side)


def reach(function, height, width, dim, row, column):
    """Which tokens of a grid change the token at (row, column) of function(x): bool (height,
    width), by the gradient. x is float64 (1, height, width, dim)."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, height, width, dim, dtype=torch.float64, generator=generator)
    x.requires_grad_()
    weights = torch.randn(dim, dtype=torch.float64, generator=generator)
    (function(x)[0, row, column] @ weights).backward()
    return x.grad[0].abs().sum(-1) > 0


def in_own_window(height, width, rows, columns, row, column):
    """Which tokens share the window of (row, column): bool (height, width)."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return (y // rows == row // rows) & (x // columns == column // columns)
