"""A solved notebook as a list of tests, one for each code cell."""

import re
import time

import pytest
from nbval.plugin import IPyNbCell, IPyNbFile, NbCellError

from notebook_plugin import images
from notebook_plugin.kernel import Kernel
from notebook_plugin.where import ESCAPES, first_difference, line_in_cell, place
from tutorial_lib.notebook.claims import MEASURED

# What differs from machine to machine or from run to run, and what is compared in its place.
SANITIZE = {
    re.compile(rf"^{MEASURED}.*(\n {{{len(MEASURED)}}}.*)*$", re.MULTILINE): f"{MEASURED}...",
    re.compile(r"\b0x[0-9a-f]+"): "0x...",
}
RAISED = "Cell execution caused an exception"  # nbval's words


class Notebook(IPyNbFile):
    """Starts the kernel that its cells share."""

    stopped_at = ""  # the place of the cell that stopped the notebook
    seconds_to_start = 0.0

    def collect(self):
        """The code cells, counted from 1 like the prompts [1], [2], ... of a fresh run."""
        for item in super().collect():
            yield Cell.from_parent(
                self,
                name=f"cell {item.cell_num + 1}",
                cell_num=item.cell_num + 1,
                cell=item.cell,
                options=item.options,
            )

    def setup(self):
        started = time.perf_counter()
        self.kernel = Kernel(self.path.parent, self.config.option.nbval_kernel_startup_timeout)
        self.setup_sanitize_files()
        self.seconds_to_start = time.perf_counter() - started

    def teardown(self):
        if self.kernel:
            self.kernel.stop()

    @property
    def code_cells(self) -> list:
        return [cell for cell in self.nb.cells if cell.cell_type == "code"]


class Cell(IPyNbCell):
    """One code cell: runs without error and gives the outputs that the notebook holds."""

    difference = ""  # where its outputs part from the reference, in words

    def place(self, line: int | None = None) -> str:
        notebook = self.parent
        index = self.cell_num - 1
        return place(notebook.path, notebook.code_cells, index, self.config.rootpath, line)

    def setup(self):
        if self.parent.stopped_at:
            pytest.skip(f"{self.parent.stopped_at} stopped the notebook")

    def runtest(self):
        started = time.perf_counter()
        finished = False
        try:
            self._check_was_executed()
            super().runtest()
            finished = True
            self._check_error_came()
        finally:
            if not finished and not self.difference and not self.options["skip"]:
                self.parent.stopped_at = self.place()
            self._record(time.perf_counter() - started)

    def _check_was_executed(self):
        cell = self.cell
        if cell.source.strip() and cell.execution_count is None and not cell.outputs:
            if not self.options["skip"]:
                self.raise_cell_error("this cell was never executed: run `make build`")

    def _check_error_came(self):
        errors = [output for output in self.test_outputs if output.output_type == "error"]
        if self.options["check_exception"] and not errors:
            self.raise_cell_error("tagged raises-exception, but nothing was raised")

    def _record(self, seconds: float):
        """Leave the cost on the report, which travels from a worker to the summary."""
        cost = dict(
            notebook=self.parent.path.stem,
            place=self.place(),
            seconds=seconds,
            start=self.parent.seconds_to_start,
            peak=self.parent.kernel.peak_gigabytes(),
        )
        self.user_properties.append(("notebook cost", cost))

    def sanitize(self, s):
        s = super().sanitize(s)
        if isinstance(s, str):
            for pattern, constant in SANITIZE.items():
                s = pattern.sub(constant, s)
        return s

    def compare_outputs(self, test, ref, skip_compare=None):
        """nbval's comparison, which leaves out images, and then the images."""
        if not super().compare_outputs(test, ref, skip_compare):
            self.difference = self.difference or _plain(self.comparison_traceback[0])
            return False
        self.difference = images.first_difference(images.pictures(ref), images.pictures(test)) or ""
        self.comparison_traceback = [self.difference]
        return not self.difference

    def format_output_compare(self, key, left, right):
        self.difference = first_difference(left, right)
        super().format_output_compare(key, left, right)

    def repr_failure(self, excinfo):
        """The place and the error in one line; below it the cell and the traceback."""
        error = excinfo.value
        traceback = getattr(error, "inner_traceback", None)
        line = None if self.difference else line_in_cell(traceback)
        headline = f"{self.place(line)}: {self._what(error)}"
        if not isinstance(error, NbCellError):
            return f"{headline}\n\n{self.cell.source}\n"
        return f"{headline}\n\n{super().repr_failure(excinfo)}"

    def _what(self, error) -> str:
        if self.difference:
            return f"outputs differ: {self.difference}"
        if str(error) == RAISED:
            raised = next(out for out in self.test_outputs if out.output_type == "error")
            first = next(iter(raised.evalue.splitlines()), "")
            return f"{raised.ename}: {first}"
        return str(error) or type(error).__name__


def _plain(text: str) -> str:
    return ESCAPES.sub("", text).partition("<<<")[0].strip()
