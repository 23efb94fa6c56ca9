"""Who can hear whom: which tokens of a map a token depends on, by gradients. Taught in
chapter 07."""

import torch


def reach(layers, x):
    """Whether the token that leaves at one place depends on the token that enters at another.

    layers  a function from maps (1, H, W, dim) to maps (1, H', W', dim'), such as a layer or
            several in a row; x  a map that is random and not zero, so that no gradient vanishes
            by chance
    ->  bool (H', W', H, W): row and column of who hears, then of who is heard
    """
    if x.ndim != 4 or len(x) != 1:
        raise ValueError(f"the map of tokens is {tuple(x.shape)}, expected (1, H, W, dim)")
    x = x.detach().clone().requires_grad_()
    out = layers(x)
    # A mix of a token's features: their plain sum is constant behind a LayerNorm.
    mix = torch.randn(out.shape[-1], generator=torch.Generator().manual_seed(0)).to(out)
    asked = (out[0] @ mix).flatten()  # (H' · W',)
    rows = [torch.autograd.grad(token, x, retain_graph=True)[0][0] for token in asked]
    heard = torch.stack(rows).ne(0).any(dim=-1)  # (H' · W', H, W)
    return heard.unflatten(0, out.shape[1:3])
