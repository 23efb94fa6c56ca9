"""What a transformer looks at: attention through all its layers, and how far. Taught in chapter 05.

Abnar and Zuidema, Quantifying Attention Flow in Transformers (ACL 2020, 2005.00928), section 3;
Dosovitskiy et al., An Image is Worth 16x16 Words (ICLR 2021, 2010.11929), figures 6 and 7.
"""

import torch


def attention_rollout(weights):
    """How much each input token has reached each output token, through all layers.

    weights  a tensor (B, heads, N, N) for each layer, the first layer's first; rows are queries and
             sum to one
    ->  (B, N, N); row i says of what the last layer's token i is made, and sums to one

    In each layer the heads are averaged to A. The residual carries every token past the attention,
    so the layer hands on A + I, with rows divided by their sums. R = Â_L ⋯ Â_2 Â_1.
    """
    batch, _, n, _ = weights[0].shape
    one = torch.eye(n, dtype=weights[0].dtype, device=weights[0].device)
    rollout = one.expand(batch, n, n)
    for p in weights:
        A = p.mean(dim=1) + one  # (B, N, N)
        rollout = A / A.sum(dim=-1, keepdim=True) @ rollout
    return rollout


def attention_distance(weights, grid):
    """How far each head of a layer looks on average, in patches.

    weights  (B, heads, 1 + n, 1 + n), class token first; rows are queries and sum to one
    grid     (rows, columns) of patches, n = rows · columns, numbered row by row
    ->  (heads,): the distance between the centres of the patch that asks and the patch that
        answers, weighted by attention; the mean over all patches that ask and over the batch

    The class token stands nowhere: it does not ask, and what a patch gives to it is left out, so
    each patch's weights are divided by their sum over the n patches. A patch that gives all of its
    weight to the class token has no distance, so its head's mean is NaN. Raises ValueError if
    there are not 1 + n tokens.
    """
    rows, columns = grid
    if weights.shape[-1] != 1 + rows * columns:
        raise ValueError(
            f"weights of {weights.shape[-1]} tokens for a grid of {rows} × {columns}, expected "
            f"{1 + rows * columns}: a class token and a token for each patch"
        )
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    place = torch.stack([y, x], dim=-1).reshape(-1, 2).to(weights)  # (n, 2)
    distance = (place[:, None] - place).norm(dim=-1)  # (n, n)
    patches = weights[..., 1:, 1:]  # (B, heads, n, n)
    patches = patches / patches.sum(dim=-1, keepdim=True)
    return (patches * distance).sum(dim=-1).mean(dim=(0, 2))
