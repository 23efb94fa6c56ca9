"""Call a function on one case, safely: fresh copies, a time limit, a record of what happened."""

import copy
import linecache
import sys
import threading
import time
import traceback
from _thread import interrupt_main
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

LIBRARY = str(Path(__file__).parent)


class OutOfTime(Exception):
    """The function ran longer than it was given."""


@dataclass
class Outcome:
    """What one call gave: a value or an error, and which arguments it changed in place."""

    value: object = None
    error: BaseException | None = None
    changed: list[str] = field(default_factory=list)


def strided(value):
    """The same numbers as a view with gaps between them, as slicing a larger array would give."""
    if isinstance(value, np.ndarray) and value.ndim and value.size > 1:
        wide = np.zeros((*value.shape, 2), dtype=value.dtype)
        wide[..., 0] = value
        return wide[..., 0]
    if isinstance(value, torch.Tensor) and value.ndim and value.numel() > 1:
        wide = torch.zeros(*value.shape, 2, dtype=value.dtype)
        wide[..., 0] = value.detach()
        return wide[..., 0].requires_grad_(value.requires_grad)
    return duplicate(value)


def duplicate(value):
    """A copy that the learner's code may spoil without harm."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    return copy.deepcopy(value)


def call(function, case: dict, *, layout=duplicate, seconds: float = 10) -> Outcome:
    """Run `function(*case.values())` on copies made by `layout`, within `seconds`."""
    given = {name: layout(value) for name, value in case.items()}
    outcome = Outcome()
    try:
        outcome.value = within(seconds, function, *given.values())
    except Exception as error:  # whatever the learner's code raises is a result to report
        outcome.error = error
    outcome.changed = [name for name in case if not _same(case[name], given[name])]
    return outcome


def _same(before, after) -> bool:
    if isinstance(before, torch.Tensor):
        return torch.equal(before.detach().nan_to_num(), after.detach().nan_to_num())
    if isinstance(before, np.ndarray):
        return np.array_equal(before, after, equal_nan=before.dtype.kind == "f")
    return True


def within(seconds: float, function, *args):
    """`function(*args)`, or `OutOfTime` when it takes longer.

    A timer thread interrupts the main thread as Ctrl-C would, so an endless loop in Python stops at
    the line it is in. Outside the main thread there is nothing to interrupt: no limit then.
    """
    if threading.current_thread() is not threading.main_thread():
        return function(*args)
    lock, state = threading.Lock(), {"done": False, "fired": False}

    def fire():
        with lock:
            if not state["done"]:
                state["fired"] = True
                interrupt_main()

    timer = threading.Timer(seconds, fire)
    timer.daemon = True
    timer.start()
    try:
        result = function(*args)
        with lock:
            state["done"] = True
        if state["fired"]:  # the interrupt is on its way: let it arrive here and nowhere else
            time.sleep(1)
        return result
    except KeyboardInterrupt as interrupt:
        if not state["fired"]:
            raise  # the learner's own Ctrl-C
        raise OutOfTime(f"no answer within {seconds:g} s").with_traceback(
            interrupt.__traceback__
        ) from None
    finally:
        with lock:
            state["done"] = True
        timer.cancel()


def own_lines(error: BaseException) -> str:
    """The traceback of `error`, cut down to the learner's own lines.

    Frames of this library and of installed packages are left out: the learner can change neither.
    """
    rows = []
    for frame, line in traceback.walk_tb(error.__traceback__):
        path = frame.f_code.co_filename
        if path.startswith(LIBRARY) or "site-packages" in path or path.startswith(sys.base_prefix):
            continue
        code = linecache.getline(path, line).strip()
        rows.append(f"line {line} of {frame.f_code.co_name}:  {code}")
    return "\n".join(rows)
