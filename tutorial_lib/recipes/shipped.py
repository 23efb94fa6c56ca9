"""Checkpoints that the course ships: a model's weights, and beside them how they were made.

Those dated before 2026-11-27, and the records of that time, were trained when `train` let weight
decay shrink every parameter with two axes, tables and class tokens too. Their claims hold for that
rule. Of the difference nothing was to be seen: ViTs of chapter 05 after 600 steps on 2,000 pictures
told 79.1, 79.4 and 79.2 % of unseen ones right then, and 78.9, 79.7 and 79.5 % now (seeds 0 to 2).
"""

import datetime
import platform
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from tutorial_lib.data import checksums
from tutorial_lib.training.device import best_device


def save(path: Path, model: nn.Module, **record) -> None:
    """Write a model's weights with what is recorded of its training, and with what, on which kind
    of device (where `train` takes it) and when it was made."""
    record |= {
        "date": datetime.date.today().isoformat(),
        "device": best_device().type,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: x.cpu().contiguous() for name, x in model.state_dict().items()}
    save_file(tensors, path, {name: str(value) for name, value in record.items()})
    checksums.restate(path)  # made anew in its place, it is what is shipped from now on


def load(path: Path, model: nn.Module) -> tuple[nn.Module, dict[str, str]]:
    """Give a model the weights that `save` wrote; return it, in testing mode, and the record.

    Raises checksums.DamagedFile for a shipped checkpoint that is not what it was, and for any
    file that is no checkpoint.
    """
    checksums.check(path)
    try:
        weights = load_file(path)
        with safe_open(path, framework="pt") as file:
            record = file.metadata()
    except SafetensorError as error:
        message = f"{path} is no checkpoint, or a damaged one ({error}). Run its recipe again."
        raise checksums.DamagedFile(message) from error
    model.load_state_dict(weights)
    return model.eval(), record
