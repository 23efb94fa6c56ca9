"""A model with linear attention that completes pictures of clothes: the recipe of its checkpoint.

Taught in chapter 38, after Katharopoulos et al., Transformers are RNNs (ICML 2020, 2006.16236),
section 4.2. Train again, five minutes on one core:

    python -m tutorial_lib.recipes.linear_attention.pixels --out FILE
"""

import argparse
from pathlib import Path

import torch

from tutorial_lib.models.efficient.pixels import PixelModel
from tutorial_lib.recipes import shipped
from tutorial_lib.recipes.linear_attention.pictures import (
    BATCH,
    LEVELS,
    SIDE,
    bits_per_pixel,
    draw,
    loss_of,
    pictures,
)
from tutorial_lib.training.loop import train

SHIPPED = Path(__file__).parent / "pixels.safetensors"
SIZE = dict(rows=SIDE, columns=SIDE, levels=LEVELS, dim=64, depth=3, heads=4, hidden=128)
COUNT, STEPS, LR = 20_000, 1500, 4e-3  # pictures to learn from, steps


def load(path: Path = SHIPPED, **attention) -> tuple[PixelModel, dict[str, str]]:
    """The trained model, and what is recorded of its training. attention=YourClass puts another
    class in the place of `LinearAttention`."""
    return shipped.load(path, PixelModel(**SIZE, **attention))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="pixels", description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--count", type=int, default=COUNT, help="pictures to learn from")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=SHIPPED, help="the checkpoint to write")
    options = parser.parse_args(arguments)

    torch.set_num_threads(1)  # the matrices are small: more threads wait for each other
    torch.manual_seed(options.seed)
    model, schedule = PixelModel(**SIZE), dict(steps=options.steps, lr=LR, seed=options.seed)
    schedule |= dict(warmup=options.steps // 20)
    train(model, draw(pictures("train", options.count)), loss_of, label="pixels", **schedule)

    measured = bits_per_pixel(model, pictures("test"))
    record = {"recipe": "tutorial_lib.recipes.linear_attention.pixels", "batch": BATCH}
    record |= schedule | {"count": options.count}
    shipped.save(options.out, model, **record, bits_per_pixel=f"{measured:.4f}")
    print(f"{options.out}: {measured:.3f} bits a pixel on unseen pictures")


if __name__ == "__main__":
    main()
