"""JupyterLab as a process below this one, so that there is something to say once it has started."""

import signal
import subprocess
import threading
import time
from pathlib import Path


def run(command: list[str], told: list[str]) -> int:
    """Run JupyterLab until it ends; its exit code.

    Its log pushes what was `told` out of sight, so those lines come again when it is up. Ctrl-C
    reaches it too, which asks whether to shut down: this process waits for it and does nothing.
    """
    server = subprocess.Popen(command)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    ended = signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    if told:
        threading.Thread(target=_tell_again, args=(server, told), daemon=True).start()
    try:
        return server.wait()
    finally:
        signal.signal(signal.SIGINT, before)
        signal.signal(signal.SIGTERM, ended)


def _tell_again(server, told):
    from jupyter_core.paths import jupyter_runtime_dir

    note = Path(jupyter_runtime_dir(), f"jpserver-{server.pid}.json")  # written when it answers
    while server.poll() is None and not note.exists():
        time.sleep(0.2)
    if server.poll() is None:
        time.sleep(0.5)  # the last lines of its log, with the address
        print("", "From the course:", *told, "", sep="\n", flush=True)
