"""A later chapter goes on with what the learner built, where that is there and right.

from tutorial_lib.exercises import vit as chapter_05

VisionTransformer = yours(chapter_05.VisionTransformer)
"""

import contextlib
import io
import linecache
import os
import random
import sys
import types
import warnings
from pathlib import Path

import numpy as np

from tutorial_lib.checking import attempts
from tutorial_lib.checking.exercise import Exercise, NotYet
from tutorial_lib.checking.mine import file_of
from tutorial_lib.checking.running import OutOfTime, default_modes, limited_memory, within

READ_IN = 30  # seconds that a learner's file may take: it may import much
JUDGED = 60  # seconds for a check in all, beside what an exercise allows for one case
_LOADED = {}  # (path, when and how large it was saved) -> the module, or what it raised


def yours(exercise: Exercise):
    """The learner's answer to an exercise of another chapter, or else the course's own.

    The answer is read from work/mine/ and checked again, without counting as an attempt. One
    sentence says which of the two it is, and why. Outside a learner's copy it is the course's.
    Raises TypeError for what is no exercise.
    """
    if not isinstance(exercise, Exercise):
        raise TypeError(
            f"expected an exercise, such as tutorial_lib.exercises.vit.patchify, got {exercise!r}"
        )
    workspace = attempts.find_workspace()
    path = file_of(exercise.slug, workspace) if workspace else None
    if path is None or not os.path.exists(path):
        return _courses(exercise, ", until yours has passed its check")
    shown = path.relative_to(workspace.parent).as_posix()
    answer, why = _judged(exercise, path)
    if answer is None:
        return _courses(exercise, f"; yours in {shown} {why}")
    print(f"{exercise.name}: yours, from {shown}")
    return answer


def load(path: Path):
    """The learner's file as a module, run anew. Raises what it raises; OutOfTime if it has no end.

    It can import the learner's other files, in its folder and in the one above.
    """
    sys.path += [str(p) for p in (path.parent, path.parents[1]) if str(p) not in sys.path]
    linecache.checkcache(str(path))
    module = types.ModuleType(path.stem)
    module.__file__ = str(path)
    sys.modules[path.stem] = module
    try:
        code = compile(path.read_bytes(), str(path), "exec")
        with limited_memory():
            within(READ_IN, exec, code, vars(module))
    except BaseException:
        del sys.modules[path.stem]
        raise
    return module


def _courses(exercise, why: str):
    print(f"{exercise.name}: the course's own{why}")
    return exercise.reference


def _judged(exercise, path: Path) -> tuple:
    """(the learner's answer, "") or (None, what is wrong with it, in a few words)."""
    try:
        with _aside():
            answer = getattr(_loaded(path), exercise.name, None)
            passed = answer is not None and within(JUDGED, exercise.check, answer) is answer
        return (answer, "") if passed else (None, "is still to be written")
    except NotYet as error:
        return None, f"does not pass its check: {_first_words(error)}"
    except OutOfTime as error:
        return None, f"gives {error}"
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever it is, the notebook goes on
        return None, f"stops with {type(error).__name__}: {' '.join(str(error).split()):.100}"


def _loaded(path: Path):
    """The file as a module. It is not run again as long as it is as it was: a class for which two
    lines of a notebook ask is one and the same, and an endless file is waited for once."""
    stat = path.stat()
    stamp = path, stat.st_mtime_ns, stat.st_size
    if stamp not in _LOADED:
        try:
            _LOADED[stamp] = load(path)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            _LOADED[stamp] = error
    if isinstance(_LOADED[stamp], BaseException):
        raise _LOADED[stamp]
    return _LOADED[stamp]


def _first_words(error: NotYet) -> str:
    """The first sentence that says what is wrong."""
    first, *others = str(error).split("\n\n")
    text = others[0] if first.endswith("not right yet") else first.partition(": ")[2]
    return " ".join(text.split()).partition(". ")[0][:100]


@contextlib.contextmanager
def _aside():
    """Nothing is printed, recorded or drawn from the notebook's random numbers."""
    numpy_state, python_state, nowhere = np.random.get_state(), random.getstate(), io.StringIO()
    torch = sys.modules.get("torch")
    torchs_own = torch.random.fork_rng(devices=[]) if torch else contextlib.nullcontext()
    try:
        quiet = contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere)
        with attempts.not_recorded(), quiet[0], quiet[1]:
            with warnings.catch_warnings(), torchs_own, default_modes():
                warnings.simplefilter("ignore")
                yield
    finally:
        np.random.set_state(numpy_state)
        random.setstate(python_state)
