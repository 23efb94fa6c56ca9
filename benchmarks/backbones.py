"""What the course's backbones cost and how well they do: one figure, to which chapters add theirs.

    python -m benchmarks.backbones [NAME ...] [--speed] [--out FILE]

A row for each backbone of BACKBONES, all of them or those that are named. Every one reads
Fashion-MNIST, 28 × 28 grey pixels, and learns by the same short recipe from the same 20,000
pictures.

parameters         all of them
flops              operations of one image forward; a multiplication and an addition are two
images_per_second  forward, batches of 256, by the time that one thread of this machine's CPU works:
                   the median. With --speed only this is measured again, for rows that are there
accuracy           on 2,000 test pictures, one number for each seed

Those with windows have two stages, 14 × 14 tokens in windows of 7 × 7 and 7 × 7 tokens in one, and
such a width that they need about the operations of the ViT with patches of 4. Rows are added to
results/backbones.json or replaced by name. Each says on which processor and when its speed was
measured: compare speeds of the same processor only.
"""

import argparse
import time
from functools import partial
from pathlib import Path

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tutorial_lib.layers.transformer import EncoderLayer
from tutorial_lib.measuring import benchmarking, records
from tutorial_lib.models.backbones.cat import CAT
from tutorial_lib.models.backbones.cnn import SmallCNN
from tutorial_lib.models.backbones.cswin import CSWin
from tutorial_lib.models.backbones.msg import MSG
from tutorial_lib.models.backbones.regionvit import RegionViT
from tutorial_lib.models.backbones.shuffle import Shuffle
from tutorial_lib.models.backbones.swin import Swin
from tutorial_lib.models.backbones.t2t import T2TModule, T2TViT, TokenTransformer
from tutorial_lib.models.backbones.tnt import TNT
from tutorial_lib.models.backbones.twins import Twins
from tutorial_lib.models.backbones.vit import ViT
from tutorial_lib.recipes.vit.data_size import accuracy, draw, loss_of, pictures
from tutorial_lib.training.loop import train

RESULTS = records.RESULTS / "backbones.json"
SEEDS, STEPS, SIZE, BATCH = range(3), 1000, (1, 28, 28), 256  # three passes over the pictures


def t2t():
    """As many tokens of as many features as the ViT with patches of 7, made by two soft splits."""
    embed = T2TModule(1, ((7, 4, 2), (3, 2, 1)), 16, 64, TokenTransformer)
    return T2TViT(embed, [EncoderLayer(64, 4, 128) for _ in range(4)], 64, 10)


def tnt():
    """Patches of 4 with four pixel tokens each, narrower than the ViT for what these cost."""
    sizes = dict(dim=48, depth=4, heads=2, hidden=96, stride=2, inner_dim=8, inner_heads=1)
    return TNT(28, 4, 1, 10, **sizes)


DEPTHS = dict(depths=(2, 2), heads=(1, 2))
STAGES, WIDTHS = DEPTHS | {"dim": 24}, DEPTHS | {"dims": (24, 48)}
BACKBONES = {  # name -> a fresh model of 10 classes, and its rate: narrow ones learn at higher ones
    "CNN": (partial(SmallCNN, 1, 10, width=46), 4e-3),
    "ViT, patch 4": (partial(ViT, 28, 4, 1, 10, dim=64, depth=4, heads=4, hidden=128), 2e-3),
    "ViT, patch 7": (partial(ViT, 28, 7, 1, 10, dim=64, depth=4, heads=4, hidden=128), 2e-3),
    "T2T-ViT": (t2t, 2e-3),
    "TNT": (tnt, 2e-3),
    "Twins-SVT": (
        partial(Twins, 1, 10, 2, summary=(2, 1), windows=(7, 7), ratio=(4, 4), **WIDTHS),
        4e-3,
    ),
    "CAT": (partial(CAT, 1, 10, 2, dim=20, patch=7, depths=(1, 1), heads=(1, 2)), 4e-3),
    "RegionViT": (partial(RegionViT, 1, 10, 2, 7, **WIDTHS), 4e-3),
    "Swin": (partial(Swin, 2, 7, 1, 10, **STAGES), 4e-3),
    "CSWin": (partial(CSWin, 2, 1, 10, widths=(2, 7), **STAGES | {"heads": (2, 4)}), 4e-3),
    "Shuffle": (partial(Shuffle, 2, 7, 1, 10, **STAGES), 4e-3),
    "MSG": (partial(MSG, 2, 7, 1, 10, regions=(2, 1), **STAGES), 4e-3),
}


def flops(model):
    """Operations of one image forward. The counter cannot see into the fused attention, so the
    plain one runs, which has the same products."""
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model(torch.zeros(1, *SIZE))
    return counter.get_total_flops()


def learned(make, lr, seed, label):
    """Test accuracy of a fresh model after the recipe that all backbones share."""
    torch.manual_seed(seed)
    model = make()
    settings = dict(steps=STEPS, lr=lr, warmup=STEPS // 10, seed=seed, label=label)
    train(model, draw(*pictures("train")), loss_of, **settings)
    return accuracy(model, *pictures("test"))


def speed(name):
    """What a row says that depends on the machine."""
    model, machine = BACKBONES[name][0]().eval(), benchmarking.machine("cpu")
    with torch.no_grad():
        forward = partial(model, torch.zeros(BATCH, *SIZE))
        seconds = benchmarking.median_seconds(forward, clock=time.thread_time)
    where = {"processor": machine["device"], "date": machine["date"]}
    return {"images_per_second": BATCH / seconds} | where


def measure(name):
    """The row of one backbone."""
    make, lr = BACKBONES[name]
    model = make().eval()
    with torch.no_grad():
        operations = flops(model)
    return {
        "name": name,
        "parameters": sum(p.numel() for p in model.parameters()),
        "flops": operations,
        "accuracy": [learned(make, lr, seed, f"{name}, seed {seed}") for seed in SEEDS],
        "steps": STEPS,
    } | speed(name)


def with_row(rows, row):
    """The rows with this one in the place of its name's, or at the end."""
    by_name = {other["name"]: other for other in rows}
    return list((by_name | {row["name"]: row}).values())


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", default=list(BACKBONES), help="backbones to measure")
    parser.add_argument("--speed", action="store_true", help="only of rows that are there")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the JSON file to add to")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(BACKBONES))
    if unknown:
        parser.error(f"no backbone {', '.join(unknown)}; there are {', '.join(BACKBONES)}")
    torch.set_num_threads(1)
    for name in options.names:
        rows = records.load(options.out)["rows"] if options.out.exists() else []
        there = {row["name"]: row for row in rows}
        if options.speed and name not in there:
            continue
        row = there[name] | speed(name) if options.speed else measure(name)
        records.save(options.out, with_row(rows, row), benchmarking.machine("cpu"))
        print(f"{name}: {max(row['accuracy']):.1%} at best, {row['flops']:,} operations")


if __name__ == "__main__":
    main()
