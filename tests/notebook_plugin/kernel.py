"""A kernel that needs no network, whose death is noticed, and whose peak memory is known."""

import subprocess
import time
from pathlib import Path
from queue import Empty

import psutil
from jupyter_client.manager import KernelManager
from nbval.kernel import CURRENT_ENV_KERNEL_NAME, NbvalKernelspecManager, RunningKernel

from tutorial_lib.authoring.execute import socket_folder

POLL = 0.5  # seconds between two looks at whether the kernel still lives


class KernelDied(Exception):
    """The kernel's process ended while a cell was running."""

    def __init__(self):
        super().__init__("the kernel died (out of memory?)")


class Kernel(RunningKernel):
    """nbval's kernel over files instead of TCP ports: it starts where even loopback is down."""

    def __init__(self, folder: Path, seconds: float):
        self.sockets = socket_folder()
        self.km = KernelManager(
            kernel_name=CURRENT_ENV_KERNEL_NAME,
            kernel_spec_manager=NbvalKernelspecManager(),
            transport="ipc",
            ip=f"{self.sockets.name}/socket",
        )
        self.km.start_kernel(cwd=str(folder), stderr=subprocess.DEVNULL)
        self.kc = self.km.client()
        self.kc.start_channels()
        self.kc.wait_for_ready(timeout=seconds)
        self._ensure_iopub_up()

    def get_message(self, stream, timeout=None):
        """The next message; Empty after `timeout` seconds, KernelDied if none can come any more."""
        end = time.monotonic() + (float("inf") if timeout is None else timeout)
        while True:
            left = max(end - time.monotonic(), 0)
            try:
                return super().get_message(stream, timeout=min(left, POLL))
            except Empty:
                if not self.is_alive():
                    raise KernelDied from None
                if left <= POLL:
                    raise

    def stop(self):
        """Stop the kernel and remove its files, once, whether or not it still lives."""
        if hasattr(self, "km"):
            super().stop()
            self.sockets.cleanup()

    def peak_gigabytes(self) -> float | None:
        """The most memory the process has held so far, or what it holds now; None if it is gone."""
        if not self.is_alive():
            return None
        pid = self.km.provisioner.pid
        try:
            status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
            return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e9
        except (OSError, IndexError, ValueError):  # not Linux
            try:
                return psutil.Process(pid).memory_info().rss / 1e9
            except psutil.Error:
                return None
