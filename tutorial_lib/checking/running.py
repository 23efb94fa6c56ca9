"""Call a function on one case, safely: fresh copies, a time limit, a record of what happened."""

import _thread
import contextlib
import linecache
import signal
import sys
import threading
import time
import traceback
import tracemalloc
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tutorial_lib.checking.layouts import duplicate, same, shares_memory, tensors

LIBRARY = str(Path(__file__).parents[1])


class OutOfTime(Exception):
    """The function ran longer than it was given."""


@dataclass
class Outcome:
    """What one call gave: a value or an error, which arguments it changed in place, which ones its
    value shares memory with, and what gradient reaches each tensor that wants one (zeros where
    none arrives), or what went wrong on the way back."""

    value: object = None
    error: BaseException | None = None
    changed: list[str] = field(default_factory=list)
    shared: list[str] = field(default_factory=list)
    gradients: dict = field(default_factory=dict)
    backward_error: Exception | None = None


def call(function, case: dict, *, layout=duplicate, seconds: float = 10) -> Outcome:
    """Run `function(*case.values())` on copies made by `layout`, within `seconds`."""
    given = {name: layout(value) for name, value in case.items()}
    outcome = Outcome()
    try:
        with default_modes():
            outcome.value = within(seconds, function, *given.values())
    except (Exception, SystemExit) as error:  # whatever the learner's code raises is a result
        outcome.error = error
    outcome.changed = [name for name in case if not same(layout(case[name]), given[name])]
    outcome.shared = [name for name in case if shares_memory(outcome.value, given[name])]
    try:
        outcome.gradients = _gradients(outcome.value, given)
    except Exception as error:  # the learner's own backward, or a graph used up in the function
        outcome.backward_error = error
    return outcome


def peak_memory(function, case: dict) -> int:
    """The most bytes that a call holds at once in Python's and NumPy's memory, what it returns
    included: counted, so the same on every run."""
    given = [duplicate(value) for value in case.values()]
    traced_before = tracemalloc.is_tracing()  # by the learner, who goes on with it
    tracemalloc.start()
    try:
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        function(*given)
        return tracemalloc.get_traced_memory()[1] - held
    finally:
        if not traced_before:
            tracemalloc.stop()


@contextlib.contextmanager
def default_modes():
    """NumPy's and PyTorch's own settings: what a learner has set for their notebook, to raise at an
    overflow or to record no gradients, should judge nobody."""
    torch = sys.modules.get("torch")
    with np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"):
        with torch.enable_grad() if torch else contextlib.nullcontext():
            yield


@contextlib.contextmanager
def limited_memory():
    """More memory than the machine has to give ends in a MemoryError, not in a dead kernel.

    On Linux only. A GPU's driver reserves addresses as it likes, so nothing is limited beside one.
    """
    torch = sys.modules.get("torch")
    if not sys.platform.startswith("linux") or (torch and torch.cuda.is_available()):
        yield
        return
    import resource

    old = resource.getrlimit(resource.RLIMIT_AS)
    limit = _bytes_in("/proc/self/status", "VmSize") + _bytes_in("/proc/meminfo", "MemAvailable")
    if old[1] != resource.RLIM_INFINITY:
        limit = min(limit, old[1])
    resource.setrlimit(resource.RLIMIT_AS, (limit, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, old)


def _bytes_in(file: str, row: str) -> int:
    """A row of one of Linux's tables, "MemAvailable:   123 kB", in bytes."""
    text = Path(file).read_text(encoding="ascii")
    return 1024 * int(text.partition(f"{row}:")[2].split()[0])


def _gradients(value, given: dict) -> dict:
    """The gradient of a fixed weighted sum of the outputs, for each tensor that wants one."""
    wanted = {name: x for name, x in tensors(given).items() if x.requires_grad}
    outputs = [x for x in tensors(value).values() if x.requires_grad]
    if not wanted or not outputs:
        return {}
    import torch

    # No two entries of an output weigh the same: a row of shares would else have a constant sum.
    weights = [torch.arange(1, x.numel() + 1).cos().to(x).view(x.shape) for x in outputs]
    found = torch.autograd.grad(outputs, [*wanted.values()], weights, allow_unused=True)
    return {
        name: torch.zeros_like(x) if gradient is None else gradient
        for (name, x), gradient in zip(wanted.items(), found)
    }


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
                _interrupt(threading.main_thread())
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


def _interrupt(thread: threading.Thread) -> None:
    """As Ctrl-C would: where the system can, by a signal, which also ends a `time.sleep`."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(thread.ident, signal.SIGINT)
    else:
        _thread.interrupt_main()


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
