"""Farthest-point sampling as a loop and batched, how its time grows, and ours beside public code.

    python -m benchmarks.pointnet [--device cpu|cuda] [--public FOLDER] [--quick] [--out FILE]

FOLDER is a checkout of yanx27/Pointnet_Pointnet2_pytorch (MIT), which is not part of the course;
without it only ours is measured. Steps take turns, so that what else the machine does hits both;
seconds are medians, `times_ours` the median of a turn's seconds over ours in the same turn.
Float32, one thread on the CPU. Writes results/pointnet-<device>.json.
"""

import argparse
import statistics
import sys
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F

from tutorial_lib.layers.point_sets import (
    ball_query,
    farthest_points,
    farthest_points_loop,
    gather,
    interpolate,
)
from tutorial_lib.measuring import benchmarking, records
from tutorial_lib.models.pose.pointnet import AlignedPointNet
from tutorial_lib.models.pose.pointnet2 import single_scale

BATCH, POINTS = {"cpu": 4, "cuda": 32}, 1024
LOOPED = ((32, 8), (64, 8), (128, 8), (64, 16), (64, 32))  # (points, chosen) of one cloud
BATCHED = ((512, 128), (1024, 128), (2048, 128), (1024, 256), (1024, 512))  # of BATCH clouds


def clouds(batch, points, device):
    generator = torch.Generator().manual_seed(0)
    return (2 * torch.rand(batch, points, 3, generator=generator) - 1).to(device)


def growth(device, repeats):
    """Seconds of farthest-point sampling, as a loop on one cloud and batched on several."""
    median = partial(benchmarking.median_seconds, repeats=repeats, warmup=1, device=device)
    for points, count in LOOPED:
        x = clouds(1, points, "cpu")[0]
        seconds = median(lambda x=x, count=count: farthest_points_loop(x, count))
        yield {"what": "sampling", "method": "loop", "points": points, "count": count,
               "seconds_a_cloud": seconds}  # fmt: skip
    batch = BATCH[device]
    for points, count in BATCHED:
        x = clouds(batch, points, device)
        seconds = median(lambda x=x, count=count: farthest_points(x, count))
        yield {"what": "sampling", "method": "batched", "points": points, "count": count,
               "seconds_a_cloud": seconds / batch}  # fmt: skip


def step(forward, x, labels):
    """Forward, cross-entropy and backward; gradients add up, as nobody reads them."""
    F.nll_loss(forward(x).log_softmax(-1), labels).backward()


def pairs(device, public):
    """(what, ours, theirs or None) as functions to be timed."""
    x = clouds(BATCH[device], POINTS, device)
    labels = torch.arange(len(x), device=device) % 10
    theirs = public_code(public, device) if public else {}
    centres = gather(x, farthest_points(x, 512))
    features = torch.rand(len(x), 512, 64, device=device)
    ours = {
        "farthest points, 512 of 1024": lambda: farthest_points(x, 512),
        "balls, 512 of 32 points": lambda: ball_query(centres, x, 0.2, 32),
        "interpolation, 1024 from 512": lambda: interpolate(x, centres, features),
    }
    models = {"PointNet with T-Nets": AlignedPointNet(10), "PointNet++": single_scale(10)}
    for what, model in models.items():
        model.to(device)
        ours[f"{what}, training step"] = partial(step, model, x, labels)
    for what, function in ours.items():
        yield what, function, theirs[what](x, centres, features, labels) if theirs else None


def public_code(folder, device):
    """What the public code has for each row, as functions of the same arguments."""
    sys.path[:0] = [str(folder), str(Path(folder) / "models")]
    import pointnet2_cls_ssg
    import pointnet2_utils as public
    import pointnet_cls

    up = public.PointNetFeaturePropagation(64, []).to(device)  # no layer: interpolation alone
    nets = [pointnet_cls.get_model(10, False), pointnet2_cls_ssg.get_model(10, False)]
    nets = [net.to(device) for net in nets]

    def training(net, x, centres, features, labels):
        x = x.mT.contiguous()
        return partial(step, lambda x: net(x)[0], x, labels)

    def interpolation(x, centres, features, labels):
        return lambda: up(x.mT, centres.mT, None, features.mT)

    return {
        "farthest points, 512 of 1024": lambda x, *_: lambda: public.farthest_point_sample(x, 512),
        "balls, 512 of 32 points": lambda x, centres, *_: (
            lambda: public.query_ball_point(0.2, 32, x, centres)
        ),
        "interpolation, 1024 from 512": interpolation,
        "PointNet with T-Nets, training step": partial(training, nets[0]),
        "PointNet++, training step": partial(training, nets[1]),
    }


def measure(what, ours, theirs, device, repeats):
    """Rows of one comparison: seconds of ours and theirs, which take turns."""
    functions = {"ours": ours} | ({"yanx27": theirs} if theirs else {})
    seconds = {name: [] for name in functions}
    for turn in range(repeats + 1):
        for name, function in functions.items():
            found = benchmarking.median_seconds(function, repeats=1, warmup=0, device=device)
            if turn:  # the first warms up
                seconds[name].append(found)
    for name, found in seconds.items():
        ratios = [a / b for a, b in zip(found, seconds["ours"])]
        yield {"what": what, "method": name, "seconds": statistics.median(found),
               "times_ours": statistics.median(ratios)}  # fmt: skip


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", choices=BATCH, default=benchmarking.cuda_or_cpu())
    parser.add_argument("--public", type=Path, help="a checkout of the public code")
    parser.add_argument("--quick", action="store_true", help="one turn instead of seven")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    repeats = 1 if options.quick else 7
    machine = benchmarking.machine(options.device) | {"threads": 1}
    rows = list(growth(options.device, repeats))
    for what, ours, theirs in pairs(options.device, options.public):
        rows += measure(what, ours, theirs, options.device, repeats)
    path = options.out or records.result_file("pointnet", machine)
    records.save(path, rows, machine, batch=BATCH[options.device], points=POINTS)
    for row in rows:
        print(row)


if __name__ == "__main__":
    main()
