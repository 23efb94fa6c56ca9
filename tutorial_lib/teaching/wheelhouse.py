"""All packages of the course as files, so that a room without a network can install them.

They are those of requirements.lock, for a named system and Python, fetched by pip and never built.
`course.py` installs from a folder `wheels` beside it, with `--no-index --find-links`.
"""

import platform
import re
import subprocess
import sys
import zipfile
from pathlib import Path

from tutorial_lib.measuring.machine import locked_versions

SMALL_TORCH = "https://download.pytorch.org/whl/cpu"  # on Linux PyPI's is for CUDA: some GB more
SYSTEMS = {  # name -> (sys_platform, machine, the tags of its wheels)
    "linux": ("linux", "x86_64", [f"manylinux_2_{minor}_x86_64" for minor in range(5, 29)]
              + ["manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64"]),
    "linux-arm": ("linux", "aarch64", [f"manylinux_2_{minor}_aarch64" for minor in range(17, 29)]
                  + ["manylinux2014_aarch64"]),
    "windows": ("win32", "AMD64", ["win_amd64"]),
    "mac": ("darwin", "arm64", ["macosx_14_0_arm64", "macosx_14_0_universal2"]),
}  # fmt: skip
PYTHONS = ("3.11", "3.12", "3.13")


def this_system() -> str:
    """What this machine is called, such as "linux-3.12"."""
    arm = platform.machine().lower() in ("aarch64", "arm64")
    names = {"linux": "linux-arm" if arm else "linux", "win32": "windows", "darwin": "mac"}
    return f"{names.get(sys.platform, 'linux')}-{sys.version_info[0]}.{sys.version_info[1]}"


def fetch(lock: str, system: str, folder: Path) -> float:
    """Fetch the wheels of a lock's text for a system, "windows-3.12"; MB that the folder then has.

    Raises ValueError for a system that is not known, and with pip's words where pip fails.
    """
    environment, tags = _of(system)
    python = environment["python_full_version"]  # some packages want more than a first 3.11.0
    pins = locked_versions(lock, environment)
    torch = f"torch=={pins.pop('torch')}"
    for_cuda = {name for name in pins if re.match("nvidia-|cuda-", name)}
    others = [f"{name}=={version}" for name, version in pins.items() if name not in for_cuda]
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:"]
    pip += ["--dest", str(folder), "--implementation", "cp", "--python-version", python]
    pip += [f"--platform={tag}" for tag in tags]
    folder.mkdir(parents=True, exist_ok=True)
    _run([*pip, *others])
    small = environment["sys_platform"] == "linux" and not _fails([*pip, "-i", SMALL_TORCH, torch])
    if not small:
        _run([*pip, torch])
    if _wants_cuda(folder):
        _run([*pip, *(f"{name}=={pins[name]}" for name in for_cuda)])
    return sum(path.stat().st_size for path in folder.iterdir()) / 1e6


def kinds(folder: Path) -> list[str]:
    """For whom a folder holds wheels, by those of PyTorch: "Python 3.12 on Windows"."""
    found = []
    for wheel in sorted(folder.glob("torch-*.whl")):
        python, tag = re.search(r"-cp3(\d+)-cp3\d+-(.*)\.whl", wheel.name).groups()
        system = {"win": "Windows", "mac": "macOS"}.get(tag[:3], "Linux")
        found.append(f"Python 3.{python} on {system}{' (ARM)' * ('aarch64' in tag)}")
    return found


def _of(system: str) -> tuple[dict, list[str]]:
    """What markers are judged by, and the tags of wheels."""
    name, _, python = system.rpartition("-")
    if name not in SYSTEMS or python not in PYTHONS:
        known = ", ".join(SYSTEMS)
        raise ValueError(
            f"no system {system!r}; expected one of {known} with a Python of {', '.join(PYTHONS)}, "
            "such as windows-3.12"
        )
    sys_platform, machine, tags = SYSTEMS[name]
    environment = {
        "sys_platform": sys_platform,
        "platform_machine": machine,
        "platform_system": {"win32": "Windows", "darwin": "Darwin"}.get(sys_platform, "Linux"),
        "os_name": "nt" if sys_platform == "win32" else "posix",
        "python_version": python,
        "python_full_version": f"{python}.9",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    return environment, tags


def _wants_cuda(folder: Path) -> bool:
    """Whether the PyTorch that was fetched asks for CUDA's packages."""
    for wheel in folder.glob("torch-*.whl"):
        with zipfile.ZipFile(wheel) as file:
            name = next(n for n in file.namelist() if n.endswith(".dist-info/METADATA"))
            text = file.read(name).decode("utf-8", errors="replace")
            return bool(re.search(r"^Requires-Dist: (nvidia|cuda)-", text, re.MULTILINE))
    return False


def _fails(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True).returncode != 0


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise ValueError("the wheels could not be fetched:\n" + done.stderr.strip()[-1500:])
