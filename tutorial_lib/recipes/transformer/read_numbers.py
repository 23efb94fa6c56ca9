"""Read handwritten numbers with an encoder-decoder: the recipe of its checkpoint.

Taught in chapter 03. A number of 2 to 5 digits is one image and one sequence; nothing says where
its digits are. Train again, alone or on two processes:

    python -m tutorial_lib.recipes.transformer.read_numbers --out FILE
    torchrun --nproc-per-node 2 -m tutorial_lib.recipes.transformer.read_numbers --out FILE
"""

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.data.digits import (
    BEGIN,
    END,
    HEIGHT,
    PAD,
    TARGET_LENGTH,
    VOCABULARY,
    WIDTH,
    digits,
    numbers,
)
from tutorial_lib.layers.positions import sinusoidal
from tutorial_lib.models.formulation.transformer import Transformer
from tutorial_lib.recipes import shipped
from tutorial_lib.training.generation import greedy
from tutorial_lib.training.loop import processes, train

SHIPPED = Path(__file__).parent / "read_numbers.safetensors"

PATCH = 3  # columns of a patch; it is as high as the canvas
INK_MEAN, INK_STD = 0.143, 0.299  # of a canvas's pixels
DIM, HEADS, HIDDEN, DEPTH = 96, 2, 192, 1


class StripEmbedding(nn.Module):
    """Cut a canvas into upright strips, map each to a token, add the sinusoid of its place."""

    def __init__(self, dim: int = DIM):
        super().__init__()
        self.to_token = nn.Linear(HEIGHT * PATCH, dim)
        self.register_buffer("places", sinusoidal(WIDTH // PATCH, dim), persistent=False)

    def forward(self, canvas):
        """canvas (B, H, W)  ->  (B, W / PATCH, dim). Raises ValueError for another shape."""
        if canvas.shape[1:] != (HEIGHT, WIDTH):
            raise ValueError(
                f"canvas {tuple(canvas.shape)}, expected (B, {HEIGHT}, {WIDTH}): a batch of them"
            )
        strips = canvas.unflatten(-1, (-1, PATCH)).transpose(1, 2).flatten(2)  # (B, M, H · PATCH)
        x = self.to_token((strips - INK_MEAN) / INK_STD)  # (B, M, dim)
        return x + self.places.to(x.dtype)


class NumberReader(Transformer):
    """Image to digits: canvas (B, H, W), target (B, N)  ->  logits (B, N, VOCABULARY)."""

    def __init__(self):
        super().__init__(StripEmbedding(), VOCABULARY, DIM, HEADS, HIDDEN, DEPTH)


class MeanReader(NumberReader):
    """The baseline: the decoder gets one vector, the mean of all that the encoder has written, as
    in sequence-to-sequence models before attention."""

    def encode(self, canvas, source_mask=None):
        return super().encode(canvas, source_mask).mean(dim=1, keepdim=True)  # (B, 1, DIM)


def loss_of(model, canvas, targets):
    """Cross-entropy of each next word, given the true words before it. Divided by all places,
    padded ones too: a number then weighs the same in whichever part of a batch it lies."""
    read, written = targets[:, :-1], targets[:, 1:]
    logits = model(canvas, read)  # (B, N, VOCABULARY)
    loss = F.cross_entropy(logits.mT, written, ignore_index=PAD, reduction="sum")
    return loss / written.numel()


def draw(count: int):
    """A function for `train`: numbers of training digits, `count` at a time."""
    images, labels = digits("train")
    return lambda generator: numbers(images, labels, count, generator)[:2]


@torch.no_grad()
def read(model, canvas):
    """canvas (B, H, W)  ->  the words written greedily (B, N), END, then PAD after END"""
    model.eval()
    canvas = canvas.to(next(model.parameters()).device)
    words = greedy(model, model.encode(canvas), BEGIN, END, TARGET_LENGTH - 1).cpu()
    words = F.pad(words, (0, TARGET_LENGTH - 1 - words.shape[1]), value=END)
    after_end = (words == END).cumsum(dim=1) > 1
    return words.masked_fill(after_end, PAD)


def score(model, part: str = "test", count: int = 2000, seed: int = 1) -> dict[str, float]:
    """The share of numbers read without a mistake and the share of digits read in their place."""
    canvas, targets, _ = numbers(*digits(part), count, torch.Generator().manual_seed(seed))
    written = targets[:, 1:]
    right = read(model, canvas) == written  # (B, N)
    return {
        "exact_match": right.all(dim=1).float().mean().item(),
        "digit_accuracy": right[written < BEGIN].float().mean().item(),
    }


@torch.no_grad()
def looks(model, canvas, targets):
    """Where the decoder looks in its last layer, with the true words as its input; the mean over
    the heads.

    canvas (B, H, W), targets (B, N + 1)  ->  (B, N, M) weights on the M strips, one row for each
    word that is written
    """
    asked = []
    attention = model.decoder[-1].cross_attention
    hook = attention.register_forward_hook(
        lambda module, inputs, named, output: asked.append((inputs, named)), with_kwargs=True
    )
    model.eval()
    device = next(model.parameters()).device
    model(canvas.to(device), targets[:, :-1].to(device))
    hook.remove()
    inputs, named = asked[0]
    return attention.weights(*inputs, **named).mean(dim=1).cpu()  # (B, heads, N, M) -> (B, N, M)


def load(path: Path = SHIPPED) -> tuple[NumberReader, dict[str, str]]:
    """A trained model, and what is recorded of its training."""
    return shipped.load(path, NumberReader())


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="read_numbers", description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=64, help="numbers in a step, all processes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=SHIPPED, help="the checkpoint to write")
    options = parser.parse_args(arguments)

    torch.manual_seed(options.seed)
    torch.set_num_threads(1)  # the matrices are small: more threads wait for each other
    model = NumberReader()
    settings = dict(steps=options.steps, lr=5e-3, warmup=30, seed=options.seed)
    train(model, draw(options.batch), loss_of, label="reading numbers", **settings)

    rank, world = processes()
    if rank == 0:
        result = {name: f"{value:.3f}" for name, value in score(model).items()}
        record = {"recipe": "tutorial_lib.recipes.transformer.read_numbers", "batch": options.batch}
        shipped.save(options.out, model, **record, **settings, processes=world, **result)
        print(f"{options.out}: {result['exact_match']} of unseen numbers without a mistake")


if __name__ == "__main__":
    main()
