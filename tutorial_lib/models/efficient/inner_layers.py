"""Which layers of a model get few bits, and what the model then weighs. Taught in chapter 36.

Nearly all papers on few bits leave the first and the last layer as they are: they hold few of the
weights, and what they lose no other layer can make good.
"""

from torch import nn


def inner_layers(model: nn.Module) -> dict[str, nn.Module]:
    """Convolutions and linear maps by their names, in the order in which they were made, but for
    the first and the last. Raises ValueError for a model with no other."""
    found = {n: m for n, m in model.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear))}
    if len(found) < 3:
        raise ValueError(f"the model has {len(found)} layers with weights, expected 3 or more")
    return dict(list(found.items())[1:-1])


def size_in_bytes(model: nn.Module, bits: float) -> float:
    """What it takes to store a model: `bits` for each weight of an inner layer, 32 for every other
    number. Takes the model as it was before any of its weights were parametrized."""
    inner = sum(layer.weight.numel() for layer in inner_layers(model).values())
    others = sum(p.numel() for p in model.parameters()) - inner
    others += sum(b.numel() for b in model.buffers() if b.is_floating_point())  # batch statistics
    return (inner * bits + others * 32) / 8
