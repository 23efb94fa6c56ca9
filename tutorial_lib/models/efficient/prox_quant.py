"""ProxQuant: weights that are drawn to −1 and 1 more and more strongly. Taught in chapter 36.

Bai, Wang, Liberty, ProxQuant: Quantized Neural Networks via Proximal Operators (ICLR 2019,
1810.00861). There is no quantizer in the forward pass and nothing goes straight through: the loss
and its gradient are those of float weights. After each step of the optimizer,

    θ ← prox(θ),   prox(θ) = argmin_x ½ ‖x − θ‖² + λ R(x),   R(x) = Σ min(|x − 1|, |x + 1|),

where R has the shape of a W. λ grows from step to step, until every weight has arrived.
"""

import torch
from torch import nn


def w_shaped(theta):
    """R: how far the weights are from the nearest of −1 and 1, a sum over all of them."""
    return (theta.abs() - 1).abs().sum()


def prox_binary(theta, strength):
    """argmin_x ½ ‖x − θ‖² + strength · R(x): each weight moves by `strength` toward the nearest of
    −1 and 1, and stops there.

    theta tensor, strength ≥ 0  ->  a tensor like theta. Zero is as near to both; it goes to 1.
    """
    if strength < 0:
        raise ValueError(f"strength is {strength}, expected 0 or more")
    target = torch.where(theta >= 0, 1.0, -1.0)
    away = theta - target
    return target + away.sign() * (away.abs() - strength).clamp(min=0)


@torch.no_grad()
def prox_step(weights: list[nn.Parameter], strength: float) -> None:
    """The step after the optimizer's, in place."""
    for theta in weights:
        theta.copy_(prox_binary(theta, strength))


def sign_changes(before, after) -> float:
    """The share of weights whose sign is another one: two lists of tensors of the same shapes."""
    changed = sum(((a >= 0) != (b >= 0)).sum().item() for a, b in zip(before, after, strict=True))
    return changed / sum(a.numel() for a in before)
