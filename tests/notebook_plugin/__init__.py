"""What nbval leaves open, for pytest: see each module.

notebook   cells that were never run, errors that do not come, figures, what a failure says first
prepared   the notebooks whose outputs nobody compares, forked from one process
kernel     kernels without a network, and a kernel that dies is noticed at once
images     does a figure still look like the one in the solved notebook?
where      the line of chapters/NN_slug.md behind a cell
budget     seconds and memory of each solved notebook, at the end of the run
costs      CPU seconds of each chapter and of every other part, at the end of the run
chapters   --chapters 01,03
scheduler  notebooks side by side
"""

import os

import pytest
from nbval.plugin import IPyNbFile

from notebook_plugin import chapters
from notebook_plugin.budget import pytest_terminal_summary
from notebook_plugin.chapters import pytest_addoption, pytest_collection_modifyitems
from notebook_plugin.costs import Costs
from notebook_plugin.notebook import Notebook
from notebook_plugin.scheduler import pytest_xdist_make_scheduler
from tutorial_lib.authoring.execute import ENVIRONMENT

__all__ = [
    "pytest_addoption",
    "pytest_collect_file",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_terminal_summary",
    "pytest_xdist_make_scheduler",
]

os.environ.update(ENVIRONMENT)  # before any worker or kernel starts: they inherit it


def pytest_configure(config):
    chapters.pytest_configure(config)
    config.pluginmanager.register(Costs(config.rootpath))


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path, parent):
    """nbval collects the notebooks; ours take their place."""
    found = yield
    return [
        Notebook.from_parent(parent, path=file_path) if isinstance(node, IPyNbFile) else node
        for node in found
    ]
