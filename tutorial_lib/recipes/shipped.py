"""Checkpoints that the course ships: a model's weights, and beside them how they were made."""

import datetime
import platform
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

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


def load(path: Path, model: nn.Module) -> tuple[nn.Module, dict[str, str]]:
    """Give a model the weights that `save` wrote; return it, in testing mode, and the record."""
    model.load_state_dict(load_file(path))
    with safe_open(path, framework="pt") as file:
        return model.eval(), file.metadata()
