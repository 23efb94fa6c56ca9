"""The training loop of every chapter. Taught in chapter 03.

AdamW: Loshchilov, Hutter, Decoupled Weight Decay Regularization (ICLR 2019, 1711.05101). Warmup:
Vaswani et al., Attention Is All You Need (NeurIPS 2017, 1706.03762), section 5.3. Half a cosine:
Loshchilov, Hutter, SGDR (ICLR 2017, 1608.03983). Clipping: Pascanu et al., On the difficulty of
training recurrent neural networks (ICML 2013, 1211.5063).
"""

import atexit
import contextlib
import math
import numbers
import os
import warnings
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from tutorial_lib.notebook.setup import track
from tutorial_lib.training.device import best_device


class Diverged(ArithmeticError):
    """The loss or its gradient is no longer a number. `losses` are those of the steps taken, then
    the one that stopped the training; the model keeps the weights from before that step."""

    def __init__(self, message: str, losses: list[float]):
        super().__init__(message)
        self.losses = losses


def warmup_cosine(step: int, steps: int, warmup: int, peak: float) -> float:
    """The learning rate of one training step.

    In the warmup, while step < warmup, a straight line: peak / warmup at step 0, peak at the
    warmup's last step. Then half a cosine, from peak at step `warmup` to 0 at step `steps`.

    step, steps, warmup  int; steps are counted from 0, so `steps` itself is never taken; warmup may
                         be 0
    peak                 the highest learning rate
    ->  a float in 0 … peak
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


def train(
    model: nn.Module,
    draw,
    loss_of,
    *,
    steps: int,
    lr: float,
    warmup: int = 20,
    weight_decay: float = 0.05,
    clip: float = 1.0,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    label: str = "training",
) -> list[float]:
    """Train a model in place with AdamW; return the loss of every step.

    draw          draw(generator) -> the batch, a tuple of tensors with the examples on axis 0, all
                  of it random through `generator` alone
    loss_of       loss_of(model, *batch) -> a scalar, a mean over the examples; it calls model(...)
    lr, warmup    peak of the learning rate, and after how many steps it is reached
    weight_decay  on the weights of linear maps and convolutions only, see `decays`
    clip          the largest norm that the gradient of all weights together may have
    seed          of the batches, and of PyTorch's own generator, from which dropout draws
    checkpoint    a file to save to after every tenth of the steps and at the end, and to go on from
                  if it exists: losses and weights are then those of a run without a break
    label         what the progress bar says

    A model on the CPU is trained on `best_device`, on CUDA in bfloat16, and comes back, also if
    something raises; it is left in training mode. Under `torchrun` each process takes its share of
    every batch, and the result is that of one process, unless the model has dropout or batch
    statistics.
    Raises Diverged if the loss or its gradient stops being finite; ValueError for settings below
    zero, for a checkpoint of other settings and for a batch that does not divide among the
    processes; TypeError for a batch that is one tensor.
    """
    settings = _checked(
        steps=steps, lr=lr, warmup=warmup, weight_decay=weight_decay, clip=clip, seed=seed
    )
    steps, lr, warmup, weight_decay, clip, seed = settings.values()
    rank, world = processes()
    with _at_work(model) as device:
        optimizer = _adamw(model, weight_decay)
        losses = _resume(checkpoint, settings, model, optimizer)
        replica = _replica(model) if world > 1 else model
        generator = torch.Generator()
        dropout = {"cuda": torch.cuda, "mps": torch.mps}.get(device.type, torch.default_generator)

        model.train()
        remaining = range(len(losses), steps)
        bar = track(remaining, label) if rank == 0 else remaining
        for step in bar:
            # Seeded by the step, not once: a resumed run draws what it would have drawn, and every
            # process draws the same batch. Dropout differs between processes, as between examples.
            generator.manual_seed(_mix(seed, step))
            dropout.manual_seed(_mix(seed, step, rank))
            batch = draw(generator)
            if isinstance(batch, torch.Tensor):  # its examples would be taken for the tuple's parts
                raise TypeError(
                    f"draw gave a tensor {tuple(batch.shape)}, expected a tuple of them"
                )
            batch = [_share(x, rank, world).to(device) for x in batch]

            rate = warmup_cosine(step, steps, warmup, lr)
            for group in optimizer.param_groups:
                group["lr"] = rate
            # bfloat16 is fast on GPUs that have it and slower than float32 on most CPUs.
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                loss = loss_of(replica, *batch)
            optimizer.zero_grad()
            loss.backward()  # a replica makes the gradient the mean over the processes
            norm = nn.utils.clip_grad_norm_(model.parameters(), clip)

            losses.append(_mean_over_processes(loss, world))
            if not (math.isfinite(losses[-1]) and norm.isfinite()):
                raise Diverged(
                    f"step {step} of {steps}: the loss is {losses[-1]:.3g} and the norm of its "
                    f"gradient {norm:.3g}, at learning rate {rate:.3g}; both should be finite. "
                    "Lower lr or lengthen warmup, and look for a division by zero or a row with "
                    "no key.",
                    losses,
                )
            optimizer.step()

            if rank == 0:
                bar.set_postfix_str(f"loss {losses[-1]:.3f}", refresh=False)
                if (step + 1) % max(1, steps // 10) == 0 or step + 1 == steps:
                    _save(checkpoint, settings, model, optimizer, losses)
    return losses


def _checked(**settings) -> dict:
    """The settings as Python's own numbers: a checkpoint keeps none of NumPy's."""
    checked = {}
    for name, value in settings.items():
        whole = name in ("steps", "warmup", "seed")
        kind = numbers.Integral if whole else numbers.Real
        if not isinstance(value, kind) or not value >= 0:  # NaN is not
            expected = "a whole number" if whole else "a number"
            raise ValueError(f"{name} is {value!r}, expected {expected}, zero or more")
        checked[name] = int(value) if whole else float(value)
    if not checked["clip"]:
        raise ValueError("clip is 0, which leaves no gradient; expected more, or math.inf")
    return checked


def processes() -> tuple[int, int]:
    """This process's number and how many there are: (0, 1), except under `torchrun`."""
    world = int(os.environ.get("WORLD_SIZE", 1))
    if world > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        atexit.register(dist.destroy_process_group)
    return int(os.environ.get("RANK", 0)), world


@contextlib.contextmanager
def _at_work(model):
    """The model on this process's GPU, if there is one, and home again whatever happens."""
    home = next(model.parameters()).device
    device = home
    if home.type == "cpu":
        device = best_device()
        if device.type == "cuda":
            device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
            torch.cuda.set_device(device)
    model.to(device)
    try:
        yield device
    finally:
        model.to(home)


def _replica(model):
    """The model as several processes share it. Some weights may take no part in a loss (a head that
    is not asked, a layer that is dropped); PyTorch warns of the search for them if there are none.
    """
    warnings.filterwarnings("ignore", "find_unused_parameters=True")
    return DistributedDataParallel(model, find_unused_parameters=True)


def decays(model: nn.Module) -> set[str]:
    """The names of the parameters that weight decay shrinks: matrices that multiply tokens.

    A matrix's size sets how much the model bends, so shrinking it favours simpler models. What is
    added to a token or only scales it has nothing to gain: a bias, a norm's gain, a class token,
    positions, a table of words or of relative biases. Most of these are tables, so their shape does
    not tell; what a parameter is called does. PyTorch's modules have `weight` in the name of every
    matrix, and of tables only in nn.Embedding and in a LayerNorm over several axes. A parameter of
    your own is shrunk if you name it so too, or by the papers' letter: `W`, `W_Q`.
    """
    return {
        f"{path}.{name}".lstrip(".")
        for path, module in model.named_modules()
        if not isinstance(module, (nn.Embedding, nn.LayerNorm))
        for name, p in module.named_parameters(recurse=False)
        if p.ndim >= 2 and ("weight" in name or name.startswith("W"))
    }


def _adamw(model, weight_decay):
    """AdamW that shrinks only what `decays`."""
    shrinking = decays(model)
    parameters = list(model.named_parameters())
    groups = [
        {"params": [p for n, p in parameters if n in shrinking], "weight_decay": weight_decay},
        {"params": [p for n, p in parameters if n not in shrinking], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, fused=True)  # all weights in one kernel, on the CPU too


def _mix(*numbers: int) -> int:
    """One seed from several numbers, such that neighbours have nothing in common."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def _share(x, rank, world):
    """The slice of a batch that a process works on: (B, ...) -> (B / world, ...)."""
    if len(x) % world:
        raise ValueError(f"a batch of {len(x)} does not divide among {world} processes")
    return x.chunk(world)[rank]


def _mean_over_processes(loss, world):
    loss = loss.detach().float()
    if world > 1:
        dist.all_reduce(loss)
    return loss.item() / world


def _save(path, settings, model, optimizer, losses):
    """Write all that `_resume` needs, under another name first: no crash leaves half a file."""
    if path is None:
        return
    state = {
        "settings": settings,
        "losses": losses,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    part = Path(f"{path}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, part)
    part.replace(path)


def _resume(path, settings, model, optimizer):
    """Take up a run where its checkpoint left it; return the losses so far, [] for a new run."""
    if path is None or not Path(path).exists():
        return []
    state = torch.load(path, map_location="cpu", weights_only=True)
    other = [
        f"{name} is {state['settings'][name]} there and {value} here"
        for name, value in settings.items()
        if state["settings"][name] != value
    ]
    if other:
        raise ValueError(
            f"{path} was written with other settings: {'; '.join(other)}. "
            "Use those settings, or remove the file to start anew."
        )
    shrunk, shrinking = (
        [len(group["params"]) for group in groups]
        for groups in (state["optimizer"]["param_groups"], optimizer.param_groups)
    )
    if shrunk != shrinking:
        raise ValueError(
            f"{path} was written when weight decay shrank {shrunk[0]} of {sum(shrunk)} parameters; "
            f"here it shrinks {shrinking[0]} of {sum(shrinking)}. It comes from an earlier version "
            "of the course, or from another model. Remove the file to start anew."
        )
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return state["losses"]
