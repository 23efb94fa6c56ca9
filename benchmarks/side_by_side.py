"""The same thing computed in several ways, side by side: ours, and what people would pick instead.

Each way has the same weights and reads the same inputs. Results and gradients are compared first,
and the program stops if they disagree. Then the ways take turns in one process, one call each, so
that what else the machine does hits them all. A row for each way, mode and dtype:

what, method    which contest, and whose code
mode            "forward", or "training step": forward and backward of the mean square
seconds         median over the turns; on a CPU, one thread, of the time that this thread works,
                which is the same on a busy machine
times_ours      median over the turns of its seconds over ours: above 1, ours is faster
peak_bytes      most memory at one time for tensors, beyond weights and inputs; None on Apple GPUs,
                which keep no account of it
flops           operations in matrix products and convolutions, the same for all
share_of_limit  of the speed that one large matrix product reaches on this device, measured before
"""

import argparse
import statistics
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from tutorial_lib.measuring import benchmarking, records
from tutorial_lib.training.device import best_device

MODES = FORWARD, STEP = "forward", "training step"


@dataclass
class Contest:
    """One thing and the ways to compute it.

    methods  name -> module or function, from the inputs to a tensor or a tuple of them; the first
             one is "ours"
    inputs   tensors; a batch is along their first axis
    modes    of MODES, what is measured
    counted  the method whose operations are counted: PyTorch knows floats' products only
    absent   a sentence for each way that cannot take part here
    """

    methods: dict
    inputs: tuple
    modes: tuple = MODES
    counted: str = "ours"
    absent: list = field(default_factory=list)

    def beside(self, package, make):
        """Add the method `make()`, or, without the package it needs, a sentence to `absent`."""
        try:
            self.methods[package] = make()
        except ImportError as error:
            self.absent.append(f"without {package} ({error}): pip install {package}")
        return self

    def to(self, device):
        """Move the methods that are modules, and the inputs."""
        for method in self.methods.values():
            if isinstance(method, nn.Module):
                method.to(device)
        self.inputs = tuple(x.to(device) for x in self.inputs)
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
    """What a method gives, and the gradients of the inputs that are floats."""
    prepare(method, mode)
    if mode == FORWARD:
        return parts(forward(method, inputs))
    inputs = [x.clone().requires_grad_(x.is_floating_point()) for x in inputs]
    results = parts(training_step(method, inputs))
    return [y.detach() for y in results] + [x.grad for x in inputs if x.grad is not None]


def agree(what, contest):
    """Stop the program unless all methods give what ours gives, up to rounding."""
    ours = contest.methods["ours"]
    # TF32 on CUDA; elsewhere float32 whose sums are added up in another order.
    tolerance = 1e-2 if contest.inputs[0].is_cuda else 1e-3
    for mode in contest.modes:
        expected = answers(ours, contest.inputs, mode)
        for name, method in contest.methods.items():
            found = answers(method, contest.inputs, mode)
            for a, b in zip(found, expected, strict=True):
                error = ((a.double() - b.double()).norm() / b.double().norm()).item()
                if not (a.shape == b.shape and error < tolerance):
                    sys.exit(f"{what}, {mode}: {name} is off by {error:.1e} of the norm")


def turns(calls, repeats, device):
    """name -> the seconds of each turn, after one turn that is not counted"""
    seconds = {name: [] for name in calls}
    clock = time.thread_time if torch.get_num_threads() == 1 else time.perf_counter
    for turn in range(repeats + 1):
        for name, call in sorted(calls.items(), reverse=turn % 2):  # nobody is always first
            found = benchmarking.median_seconds(call, 1, 0, device, clock)
            if turn:
                seconds[name].append(found)
    return seconds


def operations(contest, mode):
    """What PyTorch's counter finds. It cannot see into fused attention, so the plain one runs."""
    method = contest.methods[contest.counted]
    prepare(method, mode)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        CALLS[mode](method, contest.inputs)
    return counter.get_total_flops()


def measure(what, contest, mode, dtype, limit, repeats):
    """A row for each method. limit  FLOP/s that the device reaches; dtype  of autocast"""
    device = contest.inputs[0].device
    for method in contest.methods.values():
        prepare(method, mode)

    def call(method):
        with torch.autocast(device.type, torch.bfloat16, enabled=dtype == "bfloat16"):
            return CALLS[mode](method, contest.inputs)

    calls = {name: partial(call, method) for name, method in contest.methods.items()}
    seconds, flops = turns(calls, repeats, device), operations(contest, mode)
    for name, found in seconds.items():
        median = statistics.median(found)
        yield {
            "what": what,
            "method": name,
            "mode": mode,
            "dtype": dtype,
            "seconds": median,
            "per_second": len(contest.inputs[0]) / median,
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
    """Run contests and write results/NAME-DEVICE.json.

    contests  name -> a function (device, quick) -> a Contest; quick makes a small one
    """
    options = arguments_of(name, arguments)
    device = options.device
    if device.type == "cpu":
        torch.set_num_threads(1)
    chosen = {n: make for n, make in contests.items() if options.only.lower() in n.lower()}
    if not chosen:
        sys.exit(f"no contest with {options.only!r} in its name; there are: {', '.join(contests)}")
    clock = time.thread_time if device.type == "cpu" else time.perf_counter
    dtypes = ["float32", "bfloat16"] if device.type == "cuda" else ["float32"]
    limits = {
        dtype: benchmarking.device_limits(device, getattr(torch, dtype), clock) for dtype in dtypes
    }
    rows, sizes, bar = [], {}, tqdm(chosen.items(), disable=None)
    for what, make in bar:
        bar.set_description(what)
        torch.manual_seed(0)
        contest = make(device, options.quick).to(device)
        agree(what, contest)
        sizes[what] = [list(x.shape) for x in contest.inputs]
        tqdm.write("\n".join([what, *(f"  {sentence}" for sentence in contest.absent)]))
        for mode in contest.modes:
            for dtype in dtypes:
                limit = limits[dtype]["flops_per_second"]
                turns_ = 2 if options.quick else 15
                for row in measure(what, contest, mode, dtype, limit, turns_):
                    rows.append(row)
                    tqdm.write(line(row))
    machine = benchmarking.machine(device)
    path = options.out or records.result_file(name, machine)
    records.save(path, rows, machine, inputs=sizes, limits=limits, quick=options.quick)
    print(f"wrote {path}")
