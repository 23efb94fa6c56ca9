"""What an answer may not do while it is graded, and how that is noticed.

Two looks: at the source before it runs, and at what the process does while it runs. This keeps a
class honest. It is no wall against somebody who wants to break out: hand-ins of strangers are
graded in a container (docs/teaching.md).
"""

import ast
import importlib
import linecache
import os
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from tutorial_lib.teaching.submissions import Statement

LIBRARY = Path(__file__).parents[1]
ROOT = LIBRARY.parent
COURSE = ("exercises", "checking", "teaching", "course", "authoring")  # no room for an answer
ANSWERS = [*(f"{LIBRARY / room}{os.sep}" for room in COURSE), f"{ROOT / 'solutions'}{os.sep}",
           f"{ROOT / 'chapters'}{os.sep}"]  # fmt: skip
# How Python is asked for what belongs to others. No task needs any of it.
PRYING = {
    "_getframe", "currentframe", "f_back", "f_locals", "f_globals", "tb_frame", "gi_frame",
    "cr_frame", "getsource", "getsourcelines", "getsourcefile", "__code__",
    "__globals__", "__closure__", "__subclasses__", "__builtins__", "__loader__", "get_objects",
    "get_referrers", "get_referents", "setprofile", "settrace", "addaudithook", "import_module",
}  # fmt: skip
CALLS = {"__import__", "eval", "exec", "compile", "globals"}
OWN = "it takes the course's own {}: write it yourself"
CHANGING = {"os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.chmod", "os.chown", "os.truncate",
            "shutil.rmtree", "os.link", "os.symlink"}  # fmt: skip
PRIES = "it looks into what belongs to the grader"
WRITES = "it writes or changes files"
OF_ITS_OWN = {"sys._getframe", "sys.setprofile", "sys.settrace"}  # libraries may, an answer may not
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
STOPPED = {
    **dict.fromkeys(("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork",
                     "os.forkpty", "os.startfile", "pty.spawn"), "it starts a program"),
    **dict.fromkeys(("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto"),
                    "it uses the network"),
    "os.kill": "it stops programs",
    **dict.fromkeys(("gc.get_objects", "gc.get_referrers", "gc.get_referents"), PRIES),
}  # fmt: skip


class Refused(BaseException):
    """An answer did what it may not; no `except Exception` of its own catches it."""


def _is_free(path: str) -> bool:
    """Whether anybody may write there; a course that lies in the temporary folder is not free."""
    free = path.startswith((tempfile.gettempdir(), "/dev/"))
    return free and not path.startswith(f"{ROOT}{os.sep}")


def refusal(task, statements: list[Statement]) -> str:
    """Why the source of an answer is not even run; "" if it may be."""
    for statement in statements:
        for node in ast.walk(statement.node):
            if why := _refused(task, node):
                return why
    return ""


def _refused(task, node) -> str:
    own = OWN.format(task.name)
    if isinstance(node, ast.Import):
        return own if any(map(_in_its_rooms, (alias.name for alias in node.names))) else ""
    if isinstance(node, ast.ImportFrom) and node.module:
        full = [f"{node.module}.{alias.name}" for alias in node.names]
        if any(map(_in_its_rooms, [node.module, *full])):
            return own
        if node.module.startswith("tutorial_lib."):
            there = importlib.import_module(node.module)
            found = [getattr(there, alias.name, None) for alias in node.names]
            return own if any(each is task.reference for each in found) else ""
    if isinstance(node, ast.Attribute) and node.attr in PRYING:
        return f"it asks for `{node.attr}`, which no task needs"
    if isinstance(node, ast.Name) and node.id in PRYING:
        return f"it asks for `{node.id}`, which no task needs"
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") in CALLS:
        return f"it calls `{node.func.id}`, which no task needs"
    if isinstance(node, ast.Attribute) and node.attr == "modules":
        if isinstance(node.value, ast.Name) and node.value.id == "sys":
            return "it asks for `sys.modules`, which no task needs"
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return own if node.value in PRYING or _in_its_rooms(node.value) else ""
    return ""


def _in_its_rooms(name: str) -> bool:
    parts = name.split(".")
    return parts[0] == "tutorial_lib" and len(parts) > 1 and parts[1] in COURSE


def watch(task, file: str, tell: Callable[[str], None]) -> None:
    """From now on, in this process, what an answer may not do is told, and raises `Refused`.

    file  in which the answer stands; `tell` is called at once, so nothing can take it back.
    """
    for name in [name for name in sys.modules if _in_its_rooms(name)]:
        del sys.modules[name]  # whoever wants one has to import it again, and that is seen
    reference = _code_of(task.reference)
    closed = (*ANSWERS, reference["file"] or ANSWERS[0])
    _tell_no_lines(closed)

    def stop(why: str):
        tell(why)
        raise Refused(why)

    asking = []  # for the frame: which is itself such an event

    def seen(event: str, arguments: tuple):
        if event in STOPPED:
            stop(STOPPED[event])
        elif event in OF_ITS_OWN and not asking:
            asking.append(True)
            caller = sys._getframe(1).f_code.co_filename
            asking.clear()
            if caller == file:
                stop(PRIES)
        elif event == "import" and _in_its_rooms(str(arguments[0])):
            stop(OWN.format(task.name))
        elif event == "open" and isinstance(arguments[0], (str, bytes, os.PathLike)):
            path = os.path.realpath(os.fsdecode(arguments[0]))
            if path.startswith(closed):
                stop(OWN.format(task.name))
            mode, flags = arguments[1], arguments[2]
            writes = set(mode or "") & set("wax+") or isinstance(flags, int) and flags & WRITING
            if writes and not _is_free(path):
                stop(WRITES)
        elif event in CHANGING and not _is_free(str(arguments[0])):
            stop(WRITES)

    def called(frame, event, _):
        if event == "call" and frame.f_code in reference["codes"]:
            if frame.f_code is not reference["init"] or _within(frame, file):
                stop(OWN.format(task.name))

    sys.addaudithook(seen)
    threading.setprofile(called)
    sys.setprofile(called)


def _tell_no_lines(closed: tuple) -> None:
    """Tracebacks show a line of each file on the way, and libraries make some: of what is closed
    they get none, so nobody opens it for them."""
    found = linecache.updatecache

    def updated(filename, module_globals=None):
        return [] if str(filename).startswith(closed) else found(filename, module_globals)

    linecache.updatecache = updated
    for name in [name for name in linecache.cache if name.startswith(closed)]:
        del linecache.cache[name]


def _code_of(reference) -> dict:
    """The code of a function, or of a class's methods; and the file that it stands in."""
    parts = vars(reference).values() if isinstance(reference, type) else [reference]
    bare = (getattr(part, "__wrapped__", None) or getattr(part, "fn", part) for part in parts)
    codes = {part.__code__ for part in bare if hasattr(part, "__code__")}
    init = getattr(vars(reference).get("__init__"), "__code__", None) if hasattr(
        reference, "__dict__") else None  # fmt: skip
    file = next((os.path.realpath(code.co_filename) for code in codes), "")
    return {"codes": codes, "init": init, "file": file}


def is_the_courses(answer, reference) -> bool:
    """Whether an answer is the reference, has its code, or is a class below it."""
    if isinstance(answer, type):
        return reference in answer.__mro__
    return answer is reference or getattr(answer, "__code__", 0) in _code_of(reference)["codes"]


def is_the_courses_file(file: str) -> bool:
    """Whether a file is of the rooms that judge answers; this one only looks."""
    return file.startswith(tuple(f"{LIBRARY / room}{os.sep}" for room in ("exercises", "checking")))


def _within(frame, file: str) -> bool:
    """Whether a function of the answer has led to this call."""
    while frame is not None:
        if frame.f_code.co_filename == file:
            return True
        frame = frame.f_back
    return False
