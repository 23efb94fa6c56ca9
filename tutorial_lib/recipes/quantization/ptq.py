"""Post-training quantization of the course's ViT against min-max, and mixed precision: a record.

Taught in chapter 36, after Liu et al., Post-Training Quantization for Vision Transformer (NeurIPS
2021, 2106.14156). Both sides of every matrix product are quantized, the attention's too. Every row
draws its own pictures to calibrate with. Measure again, some minutes on one core:

    python -m tutorial_lib.recipes.quantization.ptq [--out FILE]
"""

from functools import cache
from itertools import product

import torch

from tutorial_lib.measuring.records import record
from tutorial_lib.models.efficient.mixed_precision import (
    allocate,
    bits_of_products,
    blocks,
    sensitivities,
    weights_of,
)
from tutorial_lib.models.efficient.ptq_vit import order_violations, post_training_quantize
from tutorial_lib.models.efficient.quantized_vit import (
    ProductLinear,
    attention_maps,
    set_min_max,
    with_products,
)
from tutorial_lib.models.efficient.quantized_vit import record as record_inputs
from tutorial_lib.recipes.quantization.few_bits import calibration_pictures
from tutorial_lib.recipes.vit.data_size import accuracy, pictures
from tutorial_lib.recipes.vit.vit import load

BITS, SEEDS, PICTURES = (6, 4), range(3), 32
CHOICES, MEAN = (3, 4, 5, 6), 4  # bits that a block may get, and that a weight has on average
SEARCHES = {  # name -> the arguments of `post_training_quantize`
    "similarity": dict(gamma=0, correct=False),
    "similarity, ranking": dict(gamma=1, correct=False),
    "similarity, ranking, bias": dict(gamma=1, correct=True),
}
SHARED = ("evenly", "nuclear norm", "logits", "logits, turned round")  # a budget among blocks


def min_max(model, images, bits):
    """A copy of a `ViT` whose every product is quantized with min-max scales."""
    quantized = with_products(model).eval()
    with torch.no_grad():
        return set_min_max(quantized, record_inputs(quantized, images), bits)


def violations(model, quantized, images) -> float:
    """The share of pairs of keys whose order has changed, over all layers and heads."""
    pairs = zip(attention_maps(quantized, images), attention_maps(with_products(model), images))
    found = [order_violations(found, wanted) for found, wanted in pairs]
    return sum(found) / len(found)


def stored_bytes(quantized) -> float:
    """What a file of a model with products takes: matrices in their bits, all else as floats."""
    maps = [part for part in quantized.modules() if isinstance(part, ProductLinear)]
    packed = sum(part.weight.numel() * (part.product.bits or 32) for part in maps) / 8
    floats = sum(x.numel() for x in quantized.state_dict().values())
    return packed + 4 * (floats - sum(part.weight.numel() for part in maps))


def turned_round(bits: dict) -> dict:
    """The same numbers of bits, the most for the blocks that had the fewest."""
    kinds = {name: name.rpartition(".")[-1] for name in bits}  # of one kind, of one size
    turned = {}
    for kind in set(kinds.values()):
        names = sorted((n for n in bits if kinds[n] == kind), key=bits.get)
        turned |= dict(zip(names, sorted((bits[n] for n in names), reverse=True)))
    return turned


@cache
def costs(seed):
    """What each block loses with few bits, measured on the pictures of this seed."""
    return sensitivities(load()[0], calibration_pictures(seed, PICTURES), CHOICES)


def shared_bits(model, seed, how) -> dict:
    """{block: bits}, of which a weight has MEAN on average."""
    sizes = {block: weights_of(model, block) for block in blocks(model)}
    if how == "evenly":
        return dict.fromkeys(sizes, MEAN)
    measure, _, turned = how.partition(",")
    bits = allocate(costs(seed)[measure], sizes, MEAN)
    return turned_round(bits) if turned else bits


def measure(row):
    """One row of the record, in a process of its own."""
    model, _ = load()
    images, extra = calibration_pictures(row["seed"], PICTURES), {}
    if row["method"] in SHARED:
        extra["of_blocks"] = shared_bits(model, row["seed"], row["method"])
        bits = bits_of_products(model, extra["of_blocks"])
        quantized = post_training_quantize(model, images, bits, gamma=0)
    elif row["method"] == "floats":
        quantized = with_products(model)
    elif row["method"] == "min-max":
        quantized = min_max(model, images, row["bits"])
    else:
        quantized = post_training_quantize(model, images, row["bits"], **SEARCHES[row["method"]])
    test = pictures("test")
    return row | dict(
        accuracy=accuracy(quantized, *test),
        violations=violations(model, quantized, test[0][:64]),
        bytes=stored_bytes(quantized),
        **extra,
    )


def plan():
    rows = [("floats", 32, 0), *product(("min-max", *SEARCHES), BITS, SEEDS)]
    rows += product(SHARED, (MEAN,), SEEDS)
    return [dict(method=method, bits=bits, seed=seed) for method, bits, seed in rows]


if __name__ == "__main__":
    record("ptq-vit", plan(), measure, pictures=PICTURES)
