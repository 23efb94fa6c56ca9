"""Run a notebook, and keep of its outputs only what is the same next time."""

import base64
import io
import os
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image
from tqdm import tqdm

DRAWING_BYTES = 40_000  # what is larger is taken for a photograph; a figure may have 60 kB

# One thread, no progress bars in the outputs, and sets in the same order each time.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TQDM_DISABLE": "1",
    "PYTHONHASHSEED": "0",
}


def execute(notebook, folder: Path, *, label: str = "", environment=None, seconds: int = 120):
    """Run every cell in a fresh kernel whose working folder is `folder`; outputs are stored in
    `notebook`. Raises nbclient's CellExecutionError at the first cell that raises."""
    client = NotebookClient(
        notebook, timeout=seconds, kernel_name="python3", resources={"metadata": {"path": folder}}
    )
    client.create_kernel_manager()
    sockets = socket_folder()
    client.km.transport = "ipc"  # files instead of TCP ports: works without any network interface
    client.km.ip = f"{sockets.name}/socket"
    bar = tqdm(total=len(notebook.cells), desc=label, unit="cell", disable=not label, leave=False)
    client.on_cell_complete = lambda cell, cell_index: bar.update()
    variables = {**os.environ, **ENVIRONMENT, **(environment or {})}
    with sockets, bar:
        client.execute(env=variables)
    return notebook


def socket_folder() -> tempfile.TemporaryDirectory:
    """A folder for a kernel's sockets. The path of a socket may have about 100 letters, so where
    TMPDIR is long, the system's own folder is taken."""
    long = len(tempfile.gettempdir()) > 60 and os.path.isdir("/tmp")
    return tempfile.TemporaryDirectory(prefix="kernel", dir="/tmp" if long else None)


def normalise(notebook):
    """Drop what differs from run to run: timestamps, versions, how streams happened to be cut."""
    notebook.metadata.pop("language_info", None)
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = _join_streams(cell.outputs)
            for output in cell.outputs:
                if "image/png" in output.get("data", {}):
                    kind, data = _shrink(output.data.pop("image/png"))
                    output.data[kind] = data
                    output.metadata = {kind: output.metadata.get("image/png", {})}
    return notebook


def _shrink(png: str) -> tuple[str, str]:
    """A base64 PNG as PNG with 256 colours, which is all that lines and text need; as JPEG if that
    is still too large for a figure, which means that there is a photograph in it.

    Returns the MIME type and the base64 data."""
    image = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    small = io.BytesIO()
    image.quantize(256, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    kind = "image/png"
    if small.tell() > DRAWING_BYTES:
        small, kind = io.BytesIO(), "image/jpeg"
        image.save(small, "JPEG", quality=85, optimize=True)
    return kind, base64.b64encode(small.getvalue()).decode() + "\n"


def _join_streams(outputs: list) -> list:
    joined = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last and output.output_type == "stream" == last.output_type:
            if output.name == last.name:
                last.text += output.text
                continue
        joined.append(output)
    return joined


def write(notebook, path: Path) -> bool:
    """Write the notebook if its bytes changed; True if they did."""
    text = nbformat.writes(notebook) + "\n"
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return True
