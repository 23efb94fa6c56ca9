"""Post-training quantization for vision transformers: scales that keep what attention says.

Liu et al., Post-Training Quantization for Vision Transformer (NeurIPS 2021, 2106.14156), section 3.
Taught in chapter 36. Nothing is trained: some pictures without labels go through the model once,
and every product of matrices gets the two scales that keep its output most alike.
"""

import torch

from tutorial_lib.layers.quantization import fake_quantize
from tutorial_lib.models.efficient.quantized_vit import products, record, set_min_max, with_products

LEAST, MOST = 0.5, 1.2  # the scales that are tried, as shares of min-max's


def similarity(found, wanted):
    """Pearson's correlation of two outputs, for each picture by itself, then the mean.

    found, wanted (B, ...)  ->  (), in -1 … 1
    """
    found, wanted = (x.flatten(1) - x.flatten(1).mean(1, keepdim=True) for x in (found, wanted))
    norms = found.norm(dim=1) * wanted.norm(dim=1)
    return ((found * wanted).sum(1) / norms.clamp(min=1e-12)).mean()


def ranking_loss(found, wanted, theta=0.0):
    """How far a quantized attention map is from the order of the original one.

    found, wanted  (..., N) weights of N keys for the same queries; theta ≥ 0, the margin
    ->  (), the mean over queries of

        Σ_{j<k} max(0, θ - (found_j - found_k) · sign(wanted_j - wanted_k))

    Pairs that were equal count θ, whatever becomes of them.
    """
    total = 0.0
    for step in range(1, found.shape[-1]):  # pairs so many keys apart: slices, no copies
        sign = (wanted[..., step:] - wanted[..., :-step]).sign()
        apart = (found[..., step:] - found[..., :-step]) * sign  # above 0 in the right order
        total = total + (theta - apart).clamp(min=0).sum(-1).mean()
    return total


def order_violations(found, wanted):
    """The share of pairs of keys whose order an attention map turns round: two maps (..., N)  ->
    float. A pair that has become equal is not turned round."""
    j, k = torch.triu_indices(found.shape[-1], found.shape[-1], 1)
    apart = (found[..., j] - found[..., k]) * (wanted[..., j] - wanted[..., k])
    return (apart < 0).float().mean().item()


def search_scales(part, a, b, bits, score, candidates=20, rounds=2):
    """Choose the two scales of a product in turns, from `candidates` shares of where they stand.

    part   a `Product`, whose scales are min-max's; a, b  what it reads
    score  a function of its quantized output: the higher the better
    """
    shares = torch.linspace(LEAST, MOST, candidates)
    starts = scales = {"a": part.scale_a.clone(), "b": part.scale_b.clone()}
    for _ in range(rounds):
        for side in ("b", "a"):
            tried = starts[side] * shares
            scores = []
            for scale in tried:
                now = scales | {side: scale}
                quantized_a = fake_quantize(a, now["a"], bits=bits)
                scores.append(score(quantized_a @ fake_quantize(b, now["b"], bits=bits)))
            scales = scales | {side: tried[torch.stack(scores).argmax()]}
    part.scale_a.copy_(scales["a"])
    part.scale_b.copy_(scales["b"])


def correct_bias(part, a, b):
    """Take the mean error that quantization makes of a linear map's output out of its bias.

    part  a `ProductLinear`; a (B, N, inputs), b (inputs, outputs) what its product reads
    """
    error = part.product(a, b) - a @ b  # (B, N, outputs)
    part.bias = torch.nn.Parameter(part.bias - error.flatten(0, -2).mean(0))


def score_of(a, b, gamma, theta, ranked):
    """What a product's quantized output is judged by: its similarity to a @ b and, if gamma is not
    0, the order in the first `ranked` pictures of the attention map that becomes of it."""
    wanted = a @ b
    if not gamma:
        return lambda found: similarity(found, wanted)

    def attention(scores):
        return (scores[:ranked] / a.shape[-1] ** 0.5).softmax(-1)

    order = attention(wanted)
    return lambda found: (
        similarity(found, wanted) - gamma * ranking_loss(attention(found), order, theta)
    )


@torch.no_grad()
def post_training_quantize(
    model, images, bits, gamma=1.0, theta=0.0, correct=True, ranked=8, **settings
):
    """A quantized copy of a `ViT`, from a few pictures without labels.

    images        (B, C, H, W), some tens
    bits          of both sides of every product: a number or {name of a product: number}
    gamma, theta  weight and margin of the ranking loss of the attention's scores; gamma 0 leaves it
                  out; ranked  in how many of the images: it looks at every pair of keys
    correct       whether the biases take up the mean error
    settings      candidates and rounds of `search_scales`
    ->  the copy, made of `Product`s
    """
    quantized = with_products(model).eval()
    seen = record(quantized, images)
    set_min_max(quantized, seen, bits)
    for name, part in products(quantized).items():
        a, b = seen[name]
        weight = gamma if name.endswith("scores") else 0
        score = score_of(a, b, weight, theta, ranked)
        search_scales(part, a, b, part.bits, score, **settings)
        if correct and name.endswith("product"):
            correct_bias(quantized.get_submodule(name.removesuffix(".product")), a, b)
    return quantized
