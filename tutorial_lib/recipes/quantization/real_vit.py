"""A real pretrained ViT with linear maps of integers: what becomes of its features, a record.

Taught in chapter 36. 22 million parameters, 224 × 224 pixels; calibrated on crops of two
photographs, judged on crops of four others. Measure again, some minutes on one core, after
`python -m tutorial_lib pretrained`:

    python -m tutorial_lib.recipes.quantization.real_vit [--out FILE]
"""

from itertools import product

import torch
import torch.nn.functional as F

from tutorial_lib.data import pretrained
from tutorial_lib.data.photos import photo
from tutorial_lib.layers.calibration import min_max, quantize_linears, squared_error
from tutorial_lib.measuring.benchmarking import median_seconds
from tutorial_lib.measuring.records import record
from tutorial_lib.models.backbones.hugging_face import load_checkpoint
from tutorial_lib.recipes.quantization.few_bits import one_scale, stored_bytes
from tutorial_lib.recipes.vit.looking import prepare

SIDE, CROPS = 224, 8  # pixels; crops of a photograph
CALIBRATED_ON, JUDGED_ON = ("coffee", "chelsea"), ("astronaut", "rocket", "camera", "coins")
METHODS = {  # name -> how the weights' scales are chosen, and the inputs'
    "one scale a matrix": (one_scale, min_max),
    "min-max": (min_max, min_max),
    "squared error": (squared_error, squared_error),
}


def crops(names, seed=0):
    """Squares of photographs as the model reads them: (crops, 3, SIDE, SIDE)"""
    generator, found = torch.Generator().manual_seed(seed), []
    for name in names:
        image = prepare(photo(name), 2 * SIDE)  # (1, 3, 448, 448)
        for top, left in torch.randint(0, SIDE + 1, (CROPS, 2), generator=generator).tolist():
            found.append(image[..., top : top + SIDE, left : left + SIDE])
    return torch.cat(found)


def nearest(features):
    """Which other row is the most similar: (n, dim)  ->  (n,)"""
    alike = F.normalize(features, dim=-1) @ F.normalize(features, dim=-1).T
    return alike.fill_diagonal_(-1).argmax(1)


@torch.no_grad()
def measure(row):
    """One row of the record, in a process of its own."""
    model = load_checkpoint(pretrained.folder(), image_size=SIDE)
    weights, inputs = METHODS[row["method"]]
    images, bits, input_bits = crops(CALIBRATED_ON), row["bits"], row["input_bits"]
    quantized = quantize_linears(model, images, bits, weights, inputs, input_bits)
    images = crops(JUDGED_ON)
    wanted, found = model(images), quantized(images)
    seconds = [median_seconds(lambda m=m: m(images[:4]), repeats=3) for m in (model, quantized)]
    return row | dict(
        similarity=F.cosine_similarity(wanted, found).mean().item(),
        same_neighbour=(nearest(wanted) == nearest(found)).float().mean().item(),
        bytes=stored_bytes(quantized),
        bytes_in_floats=stored_bytes(model),
        seconds=seconds[1],
        seconds_in_floats=seconds[0],
    )


def plan():
    rows = [(method, bits, bits) for method, bits in product(METHODS, (8, 4))]
    rows += [("min-max", 4, 8), ("min-max", 8, 4)]  # which of the two suffers from few bits?
    return [dict(zip(("method", "bits", "input_bits"), row)) for row in rows]


if __name__ == "__main__":
    record("quantized-vit-s14", plan(), measure)
