"""Reading numbers with attention to the image and with its mean alone, over seeds.

    python -m benchmarks.read_numbers [--out FILE]

Trains both models of recipes/read_numbers.py for 3,000 steps with three seeds and records the share
of unseen numbers that are read without a mistake. Writes results/read-numbers-<device>.json.
"""

import argparse
from itertools import product
from pathlib import Path

import torch

from tutorial_lib.measuring import benchmarking, records
from tutorial_lib.recipes.transformer.read_numbers import (
    MeanReader,
    NumberReader,
    draw,
    loss_of,
    score,
)
from tutorial_lib.training.device import best_device
from tutorial_lib.training.loop import train

STEPS, SEEDS = 3000, range(3)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, help="the JSON file to write")
    out = parser.parse_args().out
    machine, rows = benchmarking.machine(best_device()), []
    path = out or records.result_file("read-numbers", machine)
    for make, seed in product((NumberReader, MeanReader), SEEDS):
        torch.manual_seed(seed)
        model, label = make(), f"{make.__name__}, seed {seed}"
        train(model, draw(64), loss_of, steps=STEPS, lr=5e-3, warmup=30, seed=seed, label=label)
        rows.append({"model": make.__name__, "seed": seed, **score(model)})
        records.save(path, rows, machine, steps=STEPS)
        print(rows[-1])


if __name__ == "__main__":
    main()
