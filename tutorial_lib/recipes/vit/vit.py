"""A small ViT on 20,000 pictures of clothes: the recipe of its checkpoint.

Taught in chapter 05, after Dosovitskiy et al., An Image is Worth 16x16 Words (ICLR 2021,
2010.11929). The chapter looks at what it has learned. Train again:

    python -m tutorial_lib.recipes.vit.vit --out FILE
"""

import argparse
from pathlib import Path

import torch

from tutorial_lib.models.backbones.vit import ViT
from tutorial_lib.recipes import shipped
from tutorial_lib.recipes.vit.data_size import BATCH, MODELS, accuracy, draw, loss_of, pictures
from tutorial_lib.training.loop import train

SHIPPED = Path(__file__).parent / "vit.safetensors"

make, LR = MODELS["ViT"]  # 28 × 28 pixels in 49 patches of 4 × 4; 4 layers of 4 heads, 64 features
COUNT, STEPS = 20_000, 2500  # pictures to learn from, and steps


def fresh(seed: int) -> ViT:
    """The model before its training."""
    torch.manual_seed(seed)
    return make(classes=10)


def schedule(steps: int, seed: int) -> dict:
    """The arguments of `train`."""
    return dict(steps=steps, lr=LR, warmup=steps // 10, seed=seed)


def learn(count: int, steps: int, seed: int) -> ViT:
    """The model after its training on the first `count` pictures."""
    model, batches = fresh(seed), draw(*pictures("train", count))
    train(model, batches, loss_of, label="clothes", **schedule(steps, seed))
    return model.eval()


def load(path: Path = SHIPPED) -> tuple[ViT, dict[str, str]]:
    """A trained model, and what is recorded of its training."""
    return shipped.load(path, make(classes=10))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="vit", description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--count", type=int, default=COUNT, help="pictures to learn from")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=SHIPPED, help="the checkpoint to write")
    options = parser.parse_args(arguments)

    torch.set_num_threads(1)  # the matrices are small: more threads wait for each other
    model = learn(options.count, options.steps, options.seed)

    measured = accuracy(model, *pictures("test"))
    record = {"recipe": "tutorial_lib.recipes.vit.vit", "batch": BATCH, "count": options.count}
    record |= schedule(options.steps, options.seed)
    shipped.save(options.out, model, **record, accuracy=f"{measured:.4f}")
    print(f"{options.out}: {measured:.1%} of unseen pictures told right")


if __name__ == "__main__":
    main()
