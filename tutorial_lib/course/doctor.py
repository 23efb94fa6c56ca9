"""What people paste into a bug report: this machine, what is installed, and what must be fixed.

Each check is a small function from facts to a `Finding`, so that a test can feed it any machine;
`machine.py` gathers the facts of this one.
"""

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tutorial_lib.data import checksums
from tutorial_lib.measuring import machine

REINSTALL = (
    "delete the file .venv/.ready, then: python course.py lab  "
    "(with conda: conda env update -f environment.yml)"
)
# The oldest driver each CUDA major version runs with, from NVIDIA's compatibility table (Linux).
OLDEST_DRIVER = {11: 450, 12: 525, 13: 580}


@dataclass(frozen=True)
class Finding:
    """One line of the report: `ok`, `note` (works, worth knowing) or `fix` (the course breaks)."""

    level: str
    what: str
    advice: str = ""


def check_python(version: tuple) -> Finding:
    what = "Python " + ".".join(map(str, version[:3]))
    if (3, 11) <= tuple(version[:2]) <= (3, 13):
        return Finding("ok", what)
    advice = "install Python 3.11, 3.12 or 3.13, then: python course.py lab --python python3.13"
    return Finding("fix", what, advice)


def check_course(version: str | None, commit: str | None, here: bool) -> Finding:
    """`here`: whether a notebook would import this course and not another copy or none."""
    what = f"course {version or 'not installed'}, commit {commit or 'unknown'}"
    if version is None or not here:
        return Finding("fix", f"{what}: notebooks cannot import it from this folder", REINSTALL)
    return Finding("ok", what)


def check_dependency(requirement, installed: str | None, locked: str | None) -> Finding:
    """`requirement` is a packaging Requirement; versions are text, None where there is none."""
    name, wanted = requirement.name, str(requirement.specifier)
    if installed is None:
        return Finding("fix", f"{name} is missing, wanted {wanted}", REINSTALL)
    if not requirement.specifier.contains(installed, prereleases=True):
        return Finding("fix", f"{name} {installed}, wanted {wanted}", REINSTALL)
    if locked and installed.split("+")[0] != locked.split("+")[0]:
        return Finding("note", f"{name} {installed}; the course is tested with {locked}")
    return Finding("ok", f"{name} {installed}")


def check_machine(cpus: int, memory_gb: float, free_gb: float) -> Finding:
    what = f"{cpus} CPUs, {memory_gb:.1f} GB memory, {free_gb:.1f} GB free on disk"
    if free_gb < 0.5:
        return Finding("fix", what, "free some disk space: notebooks could not be saved")
    if memory_gb < 4:
        return Finding("note", what, "with less than 4 GB open one notebook at a time")
    return Finding("ok", what)


def check_device(wheel_cuda, driver, gpu, usable, error="", apple=False) -> Finding:
    """Do the GPU, its driver and the torch wheel fit together?

    `wheel_cuda` is torch.version.cuda; `driver` and `gpu` are what nvidia-smi says, None without
    it and "?" where it fails; `usable` is whether torch sees the GPU, `error` what a first small
    computation on it raised, or on an Apple GPU what came out otherwise than on the CPU.
    """
    if apple and error:
        advice = "newer versions of macOS and PyTorch may mend it"
        return Finding("note", f"Apple GPU: {error}; everything runs on the CPU", advice)
    wheel = f"torch built for CUDA {wheel_cuda}" if wheel_cuda else "CPU build of torch"
    card = f"{gpu or 'NVIDIA GPU'}, driver {driver or '?'}, {wheel}"
    if error:
        advice = f"{error}. To go on without the GPU: set CUDA_VISIBLE_DEVICES to nothing"
        return Finding("fix", f"{card}: a first computation failed", advice)
    if usable:
        return Finding("ok", card)
    if driver is None and apple:
        what = "Apple GPU, computes what the CPU does; what needs CUDA shows recorded results"
        return Finding("ok", what)
    if driver is None:
        what = f"{wheel}, no NVIDIA driver: everything runs on the CPU"
        return Finding("note" if wheel_cuda else "ok", what)
    if wheel_cuda is None:
        advice = "to use the GPU, install torch for CUDA: https://pytorch.org/get-started/locally"
        return Finding("note", f"{card}: everything runs on the CPU", advice)
    oldest = OLDEST_DRIVER.get(_major(wheel_cuda))
    if oldest and _major(driver) < oldest:
        advice = f"update the driver to {oldest} or newer, or install torch for an older CUDA"
        return Finding("note", f"{card}: the driver is too old, everything runs on the CPU", advice)
    advice = "look at what `nvidia-smi` says and at CUDA_VISIBLE_DEVICES; reboot after an update"
    return Finding("note", f"{card}: torch cannot use it, everything runs on the CPU", advice)


def check_triton(version: str | None, system: str, machine: str, error: str = "") -> Finding:
    if version and not error:
        return Finding("ok", f"Triton {version} imports")
    if (system, machine) != ("Linux", "x86_64"):
        return Finding("ok", f"no Triton on {system} {machine}: those cells show recorded results")
    what = f"Triton {version or ''} does not import: {error or 'it is missing'}"
    return Finding("note", what, f"kernel exercises need it: {REINSTALL}")


def check_data(shape: tuple) -> Finding:
    if shape == (512, 512, 3):
        return Finding("ok", "photographs load from scikit-image, without network")
    return Finding("fix", f"the astronaut photograph has the shape {shape}", REINSTALL)


def check_shipped(problems: list[tuple[str, str]]) -> list[Finding]:
    """`problems` are pairs of what is wrong with a shipped file and how to repair it."""
    if problems:
        return [Finding("fix", what, repair) for what, repair in problems]
    return [Finding("ok", "shipped data and checkpoints are whole")]


def check_work(folder: Path) -> Finding:
    """Can the learner's copy be written in `folder`, or the folder itself be made?"""
    place = folder if folder.exists() else folder.parent
    if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
        return Finding("ok", f"{folder.name}/ can be written")
    if not place.is_dir():
        return Finding("fix", f"{folder} is a file", f"mv '{folder}' '{folder}.old'")
    own = not hasattr(os, "geteuid") or place.stat().st_uid == os.geteuid()
    advice = f"chmod -R u+rwX '{place}'" if own else f"sudo chown -R \"$(id -un)\" '{place}'"
    what = f"{folder} cannot be written" + ("" if own else ": it belongs to somebody else")
    return Finding("fix", what, advice)


def check_runtime(folder: Path) -> Finding:
    """Can Jupyter keep the sockets of its kernels in `folder`, which it makes if there is none?"""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return Finding("ok", "Jupyter's own folder can be written")
    except OSError as error:
        advice = "set HOME (or JUPYTER_RUNTIME_DIR) to a folder that you can write in"
        return Finding("fix", f"Jupyter cannot write in {folder}: {error.strerror}", advice)


def check_environment(variables) -> list[Finding]:
    """Variables that change what a notebook shows, left on from something else."""
    found = []
    if variables.get("TUTORIAL_QUICK", "") not in ("", "0"):
        what = "TUTORIAL_QUICK is on: trainings are cut to three steps and claims are not checked"
        found.append(Finding("note", what, "unset TUTORIAL_QUICK, and start again"))
    backend = variables.get("MPLBACKEND", "")
    if backend and "inline" not in backend:
        what = f"MPLBACKEND is {backend}: notebooks of the course use the inline one all the same"
        found.append(Finding("note", what, "unset MPLBACKEND, for notebooks of your own"))
    return found


def check_kernel(command: str | None, executable: str) -> Finding:
    """Does the kernel `python3`, started by `command`, run the Python that runs the course?"""
    if command is None:
        return Finding("fix", "no Jupyter kernel named python3", REINSTALL)
    major = f"python{sys.version_info[0]}"
    bare = ("python", major, f"{major}.{sys.version_info[1]}")  # Jupyter reads these as its own
    if command in bare or os.path.abspath(command) == os.path.abspath(executable):
        return Finding("ok", "the kernel python3 is this Python")
    advice = f"'{executable}' -m ipykernel install --prefix '{sys.prefix}' --name python3"
    return Finding("fix", f"the kernel python3 runs {command}, not {executable}", advice)


def examine(root: Path) -> list[Finding]:
    """Every finding about this machine."""
    return [Finding("ok", machine.system()), *_findings(_all_checks(root))]


def before_lab(root: Path) -> list[Finding]:
    """What must be fixed or known before notebooks can run: the checks that take no time, since
    they do without PyTorch."""
    checks = _all_checks(root)
    found = _findings({"runtime": checks["runtime"]})
    if found[0].level == "ok":  # else others fail too, and their advice would not help
        quick = ("python", "course", "dependencies", "machine", "kernel", "work", "variables")
        found += _findings({name: checks[name] for name in quick})
    return [f for f in found if f.level == "fix" or (f.level == "note" and f.advice)]


def _all_checks(root: Path) -> dict:
    return {
        "python": lambda: check_python(sys.version_info),
        "course": lambda: check_course(*machine.course(root)),
        "dependencies": lambda: [check_dependency(*facts) for facts in machine.dependencies(root)],
        "machine": lambda: check_machine(*machine.size(root)),
        "device": lambda: check_device(**machine.gpu()),
        "triton": lambda: check_triton(*machine.triton()),
        "data": lambda: check_data(machine.photograph()),
        "shipped files": lambda: check_shipped(checksums.problems()),
        "kernel": lambda: check_kernel(machine.kernel_command(), sys.executable),
        "work": lambda: check_work(root / "work"),
        "runtime": lambda: check_runtime(machine.runtime_folder()),
        "variables": lambda: check_environment(os.environ),
    }


def _findings(checks: dict) -> list[Finding]:
    """What the checks find. One that itself fails becomes a `fix`."""
    findings = []
    for name, check in checks.items():
        try:
            found = check()
        except Exception as error:  # a broken install fails anywhere; the report must still come
            text = f"{name}: {type(error).__name__}: {error}"
            found = Finding("fix", text.splitlines()[0], REINSTALL)
        findings += found if isinstance(found, list) else [found]
    return findings


def report(findings: list[Finding]) -> str:
    """The findings, a line each, and at the end what to fix and how."""
    lines = [f"{f.level:<5} {f.what}" for f in findings]
    for level, title in (("note", "Worth knowing:"), ("fix", "To fix:")):
        advised = [f for f in findings if f.level == level and f.advice]
        if advised:
            lines += ["", title, *map(advice, advised)]
    broken = any(f.level == "fix" for f in findings)
    return "\n".join(lines + ([] if broken else ["", "Nothing must be fixed."]))


def advice(finding: Finding) -> str:
    """A finding with what to do about it, on two lines."""
    return f"- {finding.what}\n  {finding.advice}"


def main(root: Path) -> int:
    """Print the report; 1 if something must be fixed."""
    findings = examine(root)
    print(report(findings))
    return int(any(f.level == "fix" for f in findings))


def _major(version: str) -> int:
    """The first number of a version; very new where there is none, so that nothing looks old."""
    first = version.split(".")[0]
    return int(first) if first.isdigit() else 10**6
