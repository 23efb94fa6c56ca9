"""Which part of a ViT gets how many bits: sensitivity by nuclear norm, the best use of a budget.

Liu et al., Post-Training Quantization for Vision Transformer (NeurIPS 2021, 2106.14156),
section 3.4. Taught in chapter 36.
"""

import torch

from tutorial_lib.models.efficient.ptq_vit import post_training_quantize
from tutorial_lib.models.efficient.quantized_vit import products, with_products


def blocks(model) -> list[str]:
    """The parts that get bits of their own: every layer's attention and feed-forward network."""
    return [
        f"encoder.{i}.{part}"
        for i in range(len(model.encoder))
        for part in ("attention", "feed_forward")
    ]


def weights_of(model, block) -> int:
    """How many numbers the matrices of a block hold."""
    return sum(p.numel() for p in model.get_submodule(block).parameters() if p.ndim == 2)


def nuclear_norm(Y):
    """The sum of the singular values of each picture's tokens: Y (B, N, dim)  ->  (B,)"""
    return torch.linalg.svdvals(Y).sum(-1)


@torch.no_grad()
def sensitivities(model, images, choices) -> dict[str, dict[str, dict[int, float]]]:
    """How much is lost when one block alone has so few bits: measure -> block -> bits -> loss, with
    scales by similarity, a mean over the images.

    choices  the numbers of bits to try
    Measures: "nuclear norm" is the paper's Ω, the nuclear norm of the block's output Y times
    |Ŷ - Y|², so that an error weighs more where the tokens carry more; "logits" is the squared
    change of what the whole model says.
    """
    plain, logits = with_products(model).eval(), model(images)
    outputs = {block: _output(plain, block, images) for block in blocks(model)}
    found = {how: {block: {} for block in outputs} for how in ("nuclear norm", "logits")}
    for bits in choices:
        quantized = post_training_quantize(model, images, bits, gamma=0, correct=False)
        for block, wanted in outputs.items():
            for name, part in products(quantized).items():
                part.bits = bits if name.startswith(block + ".") else None
            error = (_output(quantized, block, images) - wanted).square().sum((-1, -2))
            change = (quantized(images) - logits).square().sum(-1)
            found["nuclear norm"][block][bits] = (nuclear_norm(wanted) * error).mean().item()
            found["logits"][block][bits] = change.mean().item()
    return found


def _output(model, block, images):
    """What a block gives: (B, N, dim)"""
    kept = []
    hook = model.get_submodule(block).register_forward_hook(lambda *call: kept.append(call[-1]))
    model(images)
    hook.remove()
    return kept[0]


def allocate(costs, sizes, mean_bits) -> dict[str, int]:
    """Bits for every block, with the least sum of Ω that a budget allows.

    costs      {block: {bits: Ω}}; sizes  {block: how many weights}
    mean_bits  of a weight, at most: the budget is mean_bits · the sum of the sizes
    ->  {block: bits}, the best of all combinations, by dynamic programming over what is spent
    """
    best = {0: (0.0, {})}  # spent bits -> (sum of Ω, choice)
    for block, of_bits in costs.items():
        following = {}
        for spent, (cost, chosen) in best.items():
            for bits, omega in of_bits.items():
                total = spent + bits * sizes[block]
                if total not in following or cost + omega < following[total][0]:
                    following[total] = cost + omega, chosen | {block: bits}
        best = following
    budget = mean_bits * sum(sizes.values())
    affordable = [found for spent, found in best.items() if spent <= budget]
    if not affordable:
        raise ValueError(f"no choice of bits has a mean of {mean_bits} or less")
    return min(affordable, key=lambda found: found[0])[1]


def bits_of_products(model, of_blocks, others=8) -> dict[str, int]:
    """{name of a product: bits} from {block: bits}; the patch embedding and the head get others."""
    found = {}
    for name in products(with_products(model)):
        block = next((b for b in of_blocks if name.startswith(b + ".")), None)
        found[name] = others if block is None else of_blocks[block]
    return found
