"""An answer tried in a process of its own, with limits; only plain values come back from it.

The process that judges never runs a line of an answer. It forks; the child loads the answer, tries
it on every case and writes what each call gave into a pipe, as bytes; what was expected is computed
and compared on this side. What a child does to itself, such as changing the check, changes nothing.
"""

import contextlib
import os
import select
import signal
import struct
import sys
import time
import types
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tutorial_lib.checking import attempts
from tutorial_lib.checking.exercise import NotYet
from tutorial_lib.checking.layouts import joined, strided, tensors
from tutorial_lib.checking.running import Outcome, OutOfTime, call, within
from tutorial_lib.checking.trials import LAYOUTS, Known
from tutorial_lib.teaching import guarding
from tutorial_lib.teaching.carrying import LARGE, pack, unpack

FILE = "answer.py"
LOADING = 30  # seconds that the lines around an answer may take
TOTAL = 90  # seconds for one answer in all
PATIENCE = 5  # seconds that a call may take beyond its limit, where it cannot be interrupted
MEMORY = 4 * 2**30  # bytes beyond what the course itself holds
KNOWN = ("builtins", "numpy", "torch", "tutorial_lib")  # where types of errors may come from


class Reached(BaseException):
    """The checks in front of the tries have passed."""


@dataclass
class Tried:
    """What came back from an answer's process."""

    outcomes: dict = field(default_factory=dict)  # (number of the case, layout) -> Outcome
    lines: dict = field(default_factory=dict)  # the same -> the line of the answer that raised
    told: str = ""  # what the checks in front of the tries, or behind them, say
    refused: str = ""
    stopped: str = ""  # the type of the error with which its lines stop when they are run
    course: bool = False  # a kernel, which cannot run here
    ended: str = "it stopped"  # why there is no more; "" where there is nothing more to come


class Recorded(Known):
    """A function whose outcomes have come from another process."""

    def __init__(self, tried: Tried):
        super().__init__(None)
        self.outcomes = tried.outcomes

    def __call__(self, *arguments):
        raise OutOfTime("no more answers")  # on a case that its process did not come to


def try_answer(task, source: str, stand_ins: dict, cases: list[dict], folder: Path) -> Tried:
    """Run an answer's source on every case, in a process that is ended after `TOTAL` seconds.

    stand_ins  name -> what stands for it, in the source
    folder     an empty one, for the answer's file
    """
    file = folder / FILE
    file.write_text(source, encoding="utf-8")
    reading, writing = os.pipe()
    sys.stdout.flush(), sys.stderr.flush()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            os.close(reading)
            process = _Child(task, file, stand_ins, cases, writing)
            process.run()
            process._send("ended", "")
        os._exit(0)
    os.close(writing)
    try:
        return _collect(reading, child, task.seconds + PATIENCE)
    finally:
        os.close(reading)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _collect(reading: int, child: int, patience: float) -> Tried:
    tried, deadline = Tried(), time.monotonic() + TOTAL
    while not tried.refused:
        limit = min(deadline - time.monotonic(), max(patience, LOADING + PATIENCE))
        record = _record(reading, limit)
        if record is None:
            tried.ended = "it ran out of time"
            break
        if not record:
            break
        try:
            _take(tried, *record)
        except (TypeError, ValueError, AttributeError) as error:  # from a child that pretends
            tried.refused = f"it sends what no answer gives: {type(error).__name__}"
    return tried


def _take(tried: Tried, kind: str, *parts) -> None:
    if kind == "outcome":
        number, layout, value, error, changed, shared, gradients, back, line = parts
        tried.outcomes[int(number), str(layout)] = Outcome(
            value, _error(*error), [*map(str, changed)], [*map(str, shared)],
            dict(gradients), RuntimeError(back) if back else None,
        )  # fmt: skip
        tried.lines[int(number), str(layout)] = str(line)
    elif kind in ("told", "refused", "stopped", "ended"):
        setattr(tried, kind, str(parts[0]))
    elif kind == "course":
        tried.course = True
    else:
        raise ValueError(kind)


def _record(reading: int, seconds: float):
    """The next record; None when none comes in time, () when there are no more."""
    deadline = time.monotonic() + seconds
    head = _bytes(reading, 8, deadline)
    if not head:
        return None if head is None else ()
    size = struct.unpack(">Q", head)[0]
    if size > 2 * LARGE:  # it was not packed
        return ()
    data = _bytes(reading, size, deadline)
    try:
        return unpack(data) if data else ()
    except ValueError:
        return ()


def _bytes(reading: int, count: int, deadline: float) -> bytes | None:
    data = bytearray()
    while len(data) < count:
        if not select.select([reading], [], [], max(0, deadline - time.monotonic()))[0]:
            return None
        piece = os.read(reading, min(count - len(data), 1 << 20))
        if not piece:
            return b""
        data += piece
    return bytes(data)


def _error(kinds: list[str], bare: bool, text: str) -> BaseException | None:
    """An error of the first of these types that is known here and can be made of words."""
    for kind in kinds:
        module, _, name = kind.rpartition(".")
        found = getattr(sys.modules.get(module), name, None)
        if isinstance(found, type) and issubclass(found, BaseException):
            with contextlib.suppress(TypeError):
                return found() if bare else found(text)
    return None


class _Child:
    """The process of one answer."""

    def __init__(self, task, file: Path, stand_ins: dict, cases: list[dict], pipe: int):
        self.task, self.file, self.stand_ins = task, str(file), stand_ins
        self.cases, self.pipe = cases, pipe

    def run(self) -> None:
        task = self.task
        self._keep_quiet()
        task._known_reference = None  # what was expected of those who came before
        for mistake in getattr(task, "mistakes", ()):
            mistake.function.outcomes = {}
        task._refuse, task.trials = self._tell_and_stop, self._reached
        self._limit()
        guarding.watch(task, self.file, lambda why: self._send("refused", why))
        try:
            answer = within(LOADING, self._load)
        except (Exception, SystemExit) as error:
            self._send("stopped", f"{type(error).__name__[:30]}\n{self._line(error)}")
            return
        if guarding.is_the_courses(answer, task.reference):
            self._send("refused", guarding.OWN.format(task.name))
            return
        try:
            task.check(answer)
            self._send("course", True)
        except Reached as reached:
            self._try(reached.args[0])
        except NotYet as told:
            self._send("told", str(told))

    def _try(self, answer) -> None:
        function, rules = self.task.as_function(answer), self.task.rules
        for number, case in enumerate(self.cases, 1):
            for name, layout in LAYOUTS.items():
                if layout is strided and not rules.strided:
                    continue
                wants_none = any(not x.requires_grad for x in tensors(case).values())
                if layout is joined and not (rules.in_graph and wants_none):
                    continue
                outcome = call(function, case, layout=layout, seconds=self.task.seconds)
                self._send_outcome(number, name, outcome)
                if isinstance(outcome.error, (OutOfTime, MemoryError)):
                    return
        try:
            if told := self.task.beside_the_tries(answer):
                self._send("told", told)
        except (Exception, SystemExit) as error:
            self._send("told", f"it raises {type(error).__name__[:30]} when it is called once more")

    def _send_outcome(self, number: int, layout: str, outcome: Outcome) -> None:
        error, back = outcome.error, outcome.backward_error
        if error is not None and "can't allocate memory" in str(error):
            error = outcome.error = MemoryError()
        found = (_kinds(error), not getattr(error, "args", ()), str(error))
        self._send(
            *("outcome", number, layout, outcome.value, found, outcome.changed, outcome.shared),
            *(outcome.gradients, back and str(back), self._line(error)),
        )

    def _line(self, error) -> str:
        """The number of the answer's own line that raised, in words, "" if none did; or what the
        course itself says of the answer, such as that a loss should be a number."""
        steps = error.__traceback__ if error is not None else None
        found = last = ""
        while steps is not None:
            last = steps.tb_frame.f_code.co_filename
            if last == self.file:
                found = str(steps.tb_lineno)
            steps = steps.tb_next
        return str(error) if guarding.is_the_courses_file(last) else found

    def _load(self):
        module = types.ModuleType("answer")
        module.__file__ = self.file
        sys.modules["answer"] = module
        vars(module).update(self.stand_ins)
        code = compile(Path(self.file).read_bytes(), self.file, "exec")
        exec(code, vars(module))
        return getattr(module, self.task.name)

    def _send(self, *record) -> None:
        data = pack(record)
        data = struct.pack(">Q", len(data)) + data
        while data:
            data = data[os.write(self.pipe, data) :]

    def _tell_and_stop(self, message: str):
        raise NotYet(message)

    def _reached(self, answer):
        raise Reached(answer)

    def _keep_quiet(self) -> None:
        """Nothing that is printed arrives anywhere, and nothing can be asked for."""
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        sys.stdin = open(os.devnull, encoding="utf-8")
        sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")
        warnings.simplefilter("ignore")
        attempts.recording = False
        os.environ["TUTORIAL_QUICK"] = ""
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.chdir(Path(self.file).parent)
        np.random.seed(0)

    def _limit(self) -> None:
        import resource

        pages = Path("/proc/self/statm")
        held = 0
        if pages.exists():
            held = int(pages.read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        with contextlib.suppress(ValueError, OSError):  # macOS knows no such limit
            resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, held + MEMORY))
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_CPU, (TOTAL, TOTAL + 5))


def _kinds(error: BaseException | None) -> list[str]:
    """Where the type of an error is found, and those that it is a kind of."""
    kinds = type(error).__mro__[:-1] if error is not None else ()
    known = (kind for kind in kinds if kind.__module__.partition(".")[0] in KNOWN)
    return [f"{kind.__module__}.{kind.__name__}" for kind in known]
