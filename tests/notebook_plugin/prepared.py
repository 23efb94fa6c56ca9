"""Run notebooks in forks of one process that has imported the libraries already.

A kernel of its own takes two CPU seconds to start and to import PyTorch, and a notebook may run in
a tenth of that. A fork begins with the imports and with nothing that another notebook has done. For
notebooks whose figures nobody compares: what a cell prints is all that is kept of its outputs.
"""

import atexit
import contextlib
import gc
import importlib
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from nbformat import v4

from notebook_plugin import costs
from tutorial_lib.authoring.execute import execute

IMPORTS = (
    "IPython.core.interactiveshell",
    "matplotlib_inline.backend_inline",
    "matplotlib.pyplot",
    "sklearn.datasets",
    "torch",
    "transformers.models.vit.modeling_vit",
)
PREPARE = """
from tutorial_lib.course import lean_imports
from notebook_plugin import prepared
prepared.serve()
"""
SECONDS = 600  # after which a notebook is stopped


class CellFailed(Exception):
    """A cell raised, or its process ended; what it said."""


def run(notebook, folder: Path, *, environment: dict):
    """Run every cell in a process of its own whose working folder is `folder`; what they print is
    stored in `notebook`. Raises `CellFailed` at the first cell that raises and is not tagged so.

    Where there is no fork the ordinary way takes its place."""
    if not hasattr(os, "fork"):
        return execute(notebook, folder, environment=environment)
    with tempfile.TemporaryDirectory(prefix="notebook") as exchange:
        given, said = Path(exchange, "given.ipynb"), Path(exchange, "said.json")
        nbformat.write(notebook, given)
        said.write_text("[]", encoding="utf-8")
        job = dict(given=str(given), said=str(said), folder=str(folder), environment=environment)
        status = _server().ask(job)
        texts = json.loads(said.read_text(encoding="utf-8"))
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell, text in zip(cells, texts):
        cell.outputs = [v4.new_output("stream", name="stdout", text=text)] if text else []
    if status or len(texts) < len(cells):
        end = f"cell {len(texts)} raised" if status == 1 else f"the process ended: {status}"
        raise CellFailed(f"{end}\n{texts[-1] if texts else ''}")
    return notebook


class Server:
    """The prepared process, from this side."""

    def __init__(self):
        variables = {**os.environ, "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
        variables["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        self.process = subprocess.Popen(
            [sys.executable, "-c", PREPARE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=variables,
            encoding="utf-8",
        )

    def ask(self, job: dict) -> int:
        """How the fork that ran the job ended (see os.waitstatus_to_exitcode)."""
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        status, seconds = json.loads(self.process.stdout.readline())
        costs.add(seconds)
        return status

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


_running = []


def _server() -> Server:
    """One for each of pytest's processes, started when it is first needed."""
    if not _running:
        _running.append(Server())
        atexit.register(_running[0].stop)
    return _running[0]


def serve():
    """In the prepared process: fork for each job, a line of JSON; answer with a line of JSON."""
    from tutorial_lib.data.fashion_mnist import fashion_mnist

    for name in IMPORTS:
        importlib.import_module(name)
    for split in ("train", "test"):  # unpacked once for all notebooks
        fashion_mnist(split, count=1)
    gc.freeze()  # else each fork looks through a million objects of others, again and again
    told = 0.0  # CPU seconds of this process and its forks, of which it has told
    for line in sys.stdin:
        child = os.fork()
        if not child:
            status = 2
            try:
                status = _run_cells(**json.loads(line))
            finally:
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        spent = costs.spent()
        print(json.dumps([status, spent - told]), flush=True)
        told = spent


def _run_cells(given: str, said: str, folder: str, environment: dict) -> int:
    """In the fork: 0, or 1 if a cell raised. What each cell printed goes into the file `said`."""
    from IPython.core.displaypub import CapturingDisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell

    signal.alarm(SECONDS)
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)  # the lines of jobs and of answers are not the
    os.dup2(0, 1)  # notebook's
    os.environ.update(environment)
    os.chdir(folder)
    shell = InteractiveShell.instance(colors="nocolor", display_pub_class=CapturingDisplayPublisher)
    shell.display_formatter.active_types = ["text/plain"]  # the solved notebook draws each figure
    texts = []
    for cell in nbformat.read(given, as_version=4).cells:
        if cell.cell_type != "code":
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            good = shell.run_cell(cell.source, store_history=True).success
        texts.append(printed.getvalue())
        Path(said).write_text(json.dumps(texts), encoding="utf-8")
        if not good and "raises-exception" not in cell.metadata.get("tags", []):
            return 1
    return 0
