"""The same thing computed in several ways, side by side: ours, and what people would pick instead.

Each way has the same weights and reads the same inputs. Results and gradients are compared first,
and the program stops if they disagree. Then the ways take turns in one process, one call each, so
that what else the machine does hits them all. A row for each way, mode and dtype:

what, method        which contest, and whose code
mode                "forward", or "training step": forward and backward of the mean square
dtype               float32, or on CUDA also bfloat16 under autocast
seconds             median over the turns; on a CPU, one thread, of the time that this thread works,
                    which is about the same on a busy machine
images_per_second   or sequences, or whatever a batch has along its first axis
times_ours          median over the turns of its seconds over ours: above 1, ours is faster
peak_bytes          most memory at one time for tensors, beyond weights and inputs; None on Apple
                    GPUs, which keep no account of it
flops               operations of ours in matrix products and convolutions
share_of_limit      these over the seconds, as a share of the speed that one large matrix product
                    reaches on this device, measured before
"""

import argparse
import statistics
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from tutorial_lib.measuring import benchmarking, records
from tutorial_lib.training.device import best_device

MODES = FORWARD, STEP = "forward", "training step"
OURS = "ours", "ours, compiled", "floats"  # the last is what an int8 map is made from


@dataclass
class Contest:
    """One thing and the ways to compute it.

    methods  name -> module or function, from the inputs to a tensor or a tuple of them; the first
             one is "ours"
    inputs   tensors of floats; a batch is along their first axis
    modes    of MODES, what is measured
    counted  the method whose operations are counted: PyTorch knows floats' products only
    tolerance  how far results may be apart, as a share of their norm: rounding
    size     what the record says of it
    absent   a sentence for each way that cannot take part here
    """

    methods: dict
    inputs: tuple
    modes: tuple = MODES
    counted: str = "ours"
    tolerance: float = 1e-3
    size: dict = field(default_factory=dict)
    absent: list = field(default_factory=list)

    def beside(self, package, make):
        """Add the method `make()`, or, without the package it needs, a sentence to `absent`."""
        try:
            self.methods[package] = make()
        except ImportError as error:
            self.absent.append(f"without {package} ({error}): pip install {package}")
        return self

    def to(self, device):
        """Move the methods that are modules, and the inputs; where there is no weight to learn, the
        inputs are what gradients are for."""
        modules = [m for m in self.methods.values() if isinstance(m, nn.Module)]
        for module in modules:
            module.to(device)
        learned = STEP in self.modes and not modules
        self.inputs = tuple(x.to(device).requires_grad_(learned) for x in self.inputs)
        return self


def stirred(model):
    """A fresh model with 0.1 of noise on all its weights, so that none is at its start value: zeros
    and ones would hide an exchange or something left out."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


class Logits(nn.Module):
    """A model of Hugging Face's, whose answer is its logits."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images):
        return self.model(images).logits


def forward(method, inputs):
    with torch.no_grad():
        return method(*inputs)


def training_step(method, inputs):
    """Forward and backward. Gradients add up, as nobody reads them."""
    y = method(*inputs)
    sum(part.float().square().mean() for part in parts(y)).backward()
    return y


CALLS = {FORWARD: forward, STEP: training_step}


def parts(y):
    return [y] if isinstance(y, torch.Tensor) else list(y)


def prepare(method, mode):
    if isinstance(method, nn.Module):
        method.train(mode == STEP)


def answers(method, inputs, mode):
    """What a method gives and, in training, the gradients of the inputs."""
    prepare(method, mode)
    torch.manual_seed(0)  # the same dropout for all
    if mode == FORWARD:
        return parts(forward(method, inputs))
    inputs = [x.detach().clone().requires_grad_() for x in inputs]
    results = parts(training_step(method, inputs))
    return [y.detach() for y in results] + [x.grad for x in inputs]


def agree(what, contest):
    """Stop the program unless all methods give what ours gives, up to rounding."""
    ours = contest.methods["ours"]
    tolerance = contest.tolerance * (10 if contest.inputs[0].is_cuda else 1)  # TF32
    for mode in contest.modes:
        expected = answers(ours, contest.inputs, mode)
        for name, method in contest.methods.items():
            found = answers(method, contest.inputs, mode)
            for a, b in zip(found, expected, strict=True):
                a, b = a.cpu().double(), b.cpu().double()  # an Apple GPU has no float64
                error = ((a - b).norm() / b.norm()).item()
                if not (a.shape == b.shape and error < tolerance):
                    sys.exit(f"{what}, {mode}: {name} is off by {error:.1e} of the norm")


def turns(calls, device, quick):
    """name -> the seconds of each turn, after one turn that is not counted: 9 to 60 turns, about
    three seconds' worth, or 2 in a quick run"""
    clock = time.thread_time if torch.get_num_threads() == 1 else time.perf_counter
    once = partial(benchmarking.median_seconds, repeats=1, warmup=0, device=device, clock=clock)
    first = sum(once(call) for call in calls.values())
    seconds = {name: [] for name in calls}
    for turn in range(2 if quick else min(60, max(9, int(3 / first)))):
        for name, call in sorted(calls.items(), reverse=turn % 2):  # nobody is always first
            seconds[name].append(once(call))
    return seconds


def operations(contest, mode):
    """What PyTorch's counter finds. It cannot see into fused attention, so the plain one runs."""
    method = contest.methods[contest.counted]
    prepare(method, mode)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        CALLS[mode](method, contest.inputs)
    return counter.get_total_flops()


def measure(what, contest, mode, dtype, limit, quick):
    """A row for each method. limit  FLOP/s that the device reaches; dtype  of autocast"""
    device = contest.inputs[0].device
    for method in contest.methods.values():
        prepare(method, mode)

    def call(method):
        with torch.autocast(device.type, torch.bfloat16, enabled=dtype == "bfloat16"):
            return CALLS[mode](method, contest.inputs)

    calls = {name: partial(call, method) for name, method in contest.methods.items()}
    seconds, flops = turns(calls, device, quick), operations(contest, mode)
    for name, found in seconds.items():
        median = statistics.median(found)
        yield {
            "what": what,
            "method": name,
            "mode": mode,
            "dtype": dtype,
            "seconds": median,
            "images_per_second": len(contest.inputs[0]) / median,
            "times_ours": statistics.median(a / b for a, b in zip(found, seconds["ours"])),
            "peak_bytes": peak_bytes(calls[name], device),
            "flops": flops,
            "share_of_limit": flops / median / limit,
        }


def peak_bytes(call, device):
    return None if device.type == "mps" else benchmarking.peak_bytes(call, device)


def arguments_of(name, arguments):
    parser = argparse.ArgumentParser(prog=name, description="Measure ours beside other code.")
    parser.add_argument("--device", type=torch.device, default=best_device())
    parser.add_argument("--only", default="", help="contests whose name holds this")
    parser.add_argument("--quick", action="store_true", help="small sizes and few turns")
    parser.add_argument("--out", type=Path, help="the JSON file to write")
    return parser.parse_args(arguments)


def line(row):
    return (
        f"  {row['method']:<24} {row['mode']:<14} {row['dtype']:<9} {1e3 * row['seconds']:9.2f} ms"
        f"  {row['times_ours']:5.2f} times ours  {100 * row['share_of_limit']:5.1f} % of the limit"
    )


def run(name, contests, arguments=None):
    """Run contests and write results/NAME-DEVICE.json; a part of them, or a quick run, is written
    only where --out says so.

    contests  name -> a function (device, quick) -> a Contest; quick makes a small one
    """
    options = arguments_of(name, arguments)
    device = options.device
    if device.type == "cpu":
        torch.set_num_threads(1)
    chosen = {what: make for what, make in contests.items() if options.only.lower() in what.lower()}
    if not chosen:
        sys.exit(f"no contest with {options.only!r} in its name; there are: {', '.join(contests)}")
    dtypes = ["float32", "bfloat16"] if device.type == "cuda" else ["float32"]
    limits = {dtype: limit_of(device, dtype) for dtype in dtypes}
    rows, sizes, bar = [], {}, tqdm(chosen.items(), disable=None)  # no bar into a file
    for what, make in bar:
        bar.set_description(what)
        torch.manual_seed(0)
        contest = make(device, options.quick).to(device)
        try:
            agree(what, contest)
        except NotImplementedError as error:  # of an operator, for this device
            tqdm.write(f"{what}\n  left out: {str(error).splitlines()[0]}")
            continue
        if device.type == "cuda" and isinstance(contest.methods["ours"], nn.Module):
            contest.methods["ours, compiled"] = torch.compile(contest.methods["ours"])
        sizes[what] = contest.size or [list(x.shape) for x in contest.inputs]
        tqdm.write("\n".join([what, *(f"  {sentence}" for sentence in contest.absent)]))
        for mode, dtype in product(contest.modes, dtypes):
            limit = limits[dtype]["flops_per_second"]
            for row in measure(what, contest, mode, dtype, limit, options.quick):
                rows.append(row)
                tqdm.write(line(row))
    print("\n".join(slower(rows)))
    machine = benchmarking.machine(device)
    whole = not (options.only or options.quick)
    if path := options.out or (whole and records.result_file(name, machine)):
        size = sizes if len(contests) > 1 else sizes.get(what)
        records.save(path, rows, machine, size=size, limits=limits, quick=options.quick)
        print(f"wrote {path}")


def slower(rows):
    """A line for each row of other code that takes less than 0.97 of our time."""
    rows = [row for row in rows if row["times_ours"] < 0.97 and row["method"] not in OURS]
    found = [f"  {row['what']}:{line(row)}" for row in rows]
    return ["Faster than ours:", *found] if found else ["Nothing is faster than ours."]


def limit_of(device, dtype):
    clock = time.thread_time if device.type == "cpu" else time.perf_counter
    return benchmarking.device_limits(device, getattr(torch, dtype), clock)
