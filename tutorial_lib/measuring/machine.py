"""The facts of this machine and this install, gathered for `make doctor`; doctor.py judges them."""

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

NAME = "visual-transformer-course"


def system() -> str:
    return platform.platform()


def course(root: Path) -> tuple[str | None, str | None, bool]:
    """The installed version, the git commit (None where there is none), and whether a notebook
    would import the course from `root`, which ends when the folder is moved.
    """
    code = "import tutorial_lib; print(tutorial_lib.__path__[0])"
    found = _run(sys.executable, "-P", "-c", code, cwd=tempfile.gettempdir())
    here = found is not None and Path(found).resolve() == (root / "tutorial_lib").resolve()
    commit = _run("git", "-C", str(root), "rev-parse", "--short", "HEAD")
    changed = commit and _run("git", "-C", str(root), "status", "--porcelain")
    return installed(NAME), f"{commit} with changes" if changed else commit, here


def dependencies(root: Path) -> list[tuple]:
    """(requirement, installed version, locked version) for each dependency that applies here."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    locked = locked_versions((root / "requirements.lock").read_text("utf-8"))
    return [
        (r, installed(r.name), locked.get(canonicalize_name(r.name)))
        for r in map(Requirement, project["dependencies"])
        if r.marker is None or r.marker.evaluate()
    ]


def locked_versions(text: str, environment: dict | None = None) -> dict[str, str]:
    """The versions a requirements.lock names, by canonical name.

    Only lines whose marker holds in `environment` count (default: this Python and system).
    """
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    pins = map(Requirement, (line for line in text.splitlines() if line[:1].isalnum()))
    valid = [r for r in pins if r.marker is None or r.marker.evaluate(environment)]
    return {canonicalize_name(r.name): str(r.specifier).removeprefix("==") for r in valid}


def size(root: Path) -> tuple[int, float, float]:
    """CPUs, memory in GB, free disk in GB."""
    import psutil

    memory = psutil.virtual_memory().total / 1e9
    return os.cpu_count() or 1, memory, shutil.disk_usage(root).free / 1e9


def gpu() -> dict:
    """The arguments of `doctor.check_device`."""
    import torch

    driver, gpu = None, None
    if shutil.which("nvidia-smi"):
        said = _run("nvidia-smi", "--query-gpu=driver_version,name", "--format=csv,noheader")
        driver, _, gpu = (said or "?").splitlines()[0].partition(", ")
    usable, error = torch.cuda.is_available(), ""
    if usable:
        try:
            gpu = torch.cuda.get_device_name()
            torch.ones(8, device="cuda").sum().item()
        except RuntimeError as problem:
            error = str(problem).splitlines()[0]
    apple = torch.backends.mps.is_available()
    if apple:
        from tutorial_lib.measuring.operators import first_difference

        error = first_difference("mps") or ""
    cuda = torch.version.cuda
    return dict(wheel_cuda=cuda, driver=driver, gpu=gpu, usable=usable, error=error, apple=apple)


def triton() -> tuple[str | None, str, str, str]:
    """Triton's version, the system, the processor, and what importing Triton raised."""
    error = ""
    try:
        import triton  # noqa: F401
    except Exception as problem:
        error = str(problem)
    return installed("triton"), platform.system(), platform.machine(), error


def photograph() -> tuple:
    """The shape of a photograph that lies inside scikit-image."""
    import skimage.data

    return skimage.data.astronaut().shape


def kernel_command() -> str | None:
    """The program that the Jupyter kernel `python3` starts."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        return KernelSpecManager().get_kernel_spec("python3").argv[0]
    except NoSuchKernel:
        return None


def runtime_folder() -> Path:
    """Where Jupyter keeps what its servers and kernels find each other by."""
    from jupyter_core.paths import jupyter_runtime_dir

    return Path(jupyter_runtime_dir())


def installed(name: str) -> str | None:
    """A package's version, None if it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _run(*command: str, cwd: str | None = None) -> str | None:
    """What a command prints, None where it is missing or fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=30, check=True, cwd=cwd
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
