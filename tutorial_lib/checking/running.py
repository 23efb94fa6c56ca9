"""Call a function on one case, safely: fresh copies, a time limit, a record of what happened."""

import contextlib
import copy
import linecache
import signal
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
    """What one call gave: a value or an error, which arguments it changed in place, and what
    gradient reaches each argument that wants one (zeros where none arrives), or what went wrong
    on the way back."""

    value: object = None
    error: BaseException | None = None
    changed: list[str] = field(default_factory=list)
    gradients: dict[str, torch.Tensor] = field(default_factory=dict)
    backward_error: Exception | None = None


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
        with default_modes():
            outcome.value = within(seconds, function, *given.values())
    except (Exception, SystemExit) as error:  # whatever the learner's code raises is a result
        outcome.error = error
    outcome.changed = [name for name in case if not _same(case[name], given[name])]
    try:
        outcome.gradients = _gradients(outcome.value, given)
    except Exception as error:  # the learner's own backward, or a graph used up in the function
        outcome.backward_error = error
    return outcome


@contextlib.contextmanager
def default_modes():
    """NumPy's and PyTorch's own settings: what a learner has set for their notebook, to raise at an
    overflow or to record no gradients, should judge nobody."""
    with np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"):
        with torch.enable_grad():
            yield


def _gradients(value, given: dict) -> dict[str, torch.Tensor]:
    """The gradient of a fixed weighted sum of the outputs, for each argument that wants one."""
    wanted = {k: x for k, x in given.items() if isinstance(x, torch.Tensor) and x.requires_grad}
    outputs = [x for x in _tensors(value) if x.requires_grad]
    if not wanted or not outputs:
        return {}
    # No two entries of an output weigh the same: a row of shares would else have a constant sum.
    weights = [torch.arange(1, x.numel() + 1).cos().to(x).view(x.shape) for x in outputs]
    found = torch.autograd.grad(outputs, [*wanted.values()], weights, allow_unused=True)
    return {
        name: torch.zeros_like(x) if gradient is None else gradient
        for (name, x), gradient in zip(wanted.items(), found)
    }


def _tensors(value) -> list[torch.Tensor]:
    """The tensors of real numbers in a value, however deep they lie in it."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (tuple, list)):
        return [tensor for part in value for tensor in _tensors(part)]
    return [value] if isinstance(value, torch.Tensor) and value.is_floating_point() else []


def _same(before, after) -> bool:
    """Whether an argument is as it was, what lies inside lists and dicts included."""
    containers = (dict, tuple, list, np.ndarray)
    if isinstance(before, containers) and not isinstance(after, type(before)):
        return False
    if isinstance(before, dict):
        return list(before) == list(after) and all(_same(before[k], after[k]) for k in before)
    if isinstance(before, (tuple, list)):
        return len(before) == len(after) and all(map(_same, before, after))
    if isinstance(before, torch.Tensor):
        if not isinstance(after, torch.Tensor) or before.requires_grad != after.requires_grad:
            return False
        return torch.equal(before.detach().nan_to_num(), after.detach().nan_to_num())
    if isinstance(before, np.ndarray):
        return np.array_equal(before, after, equal_nan=before.dtype.kind == "f")
    return not isinstance(before, (int, float, str)) or repr(before) == repr(after)


def within(seconds: float, function, *args):
    """`function(*args)`, or `OutOfTime` when it takes longer.

    A timer thread interrupts the main thread as Ctrl-C would, so an endless loop in Python stops at
    the line it is in. Outside the main thread there is nothing to interrupt: no limit then.
    """
    if threading.current_thread() is not threading.main_thread():
        return function(*args)
    # Started in the background of a script, a process ignores Ctrl-C, and would ignore the timer.
    handler = signal.getsignal(signal.SIGINT)
    ignored = handler in (signal.SIG_IGN, signal.SIG_DFL)
    if ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    lock, state = threading.Lock(), {"done": False, "fired": False}

    def fire():
        while True:
            with lock:
                if state["done"]:
                    return
                state["fired"] = True
                interrupt_main()
            time.sleep(1)  # and again: a bare `except:` may have swallowed it

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
        if ignored:
            signal.signal(signal.SIGINT, handler)


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
    if len(rows) > 8:  # a recursion without end
        rows[3:-3] = [f"... {len(rows) - 6} more lines ..."]
    return "\n".join(rows)
