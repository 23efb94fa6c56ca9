"""--chapters 01,03: only the tests that belong to these chapters.

They are the cells of solutions/NN_slug.ipynb, the tests with a parameter of the chapter (one of its
files, or one of its exercises), those in a test_slug.py or test_slug_more.py and those in a folder
slug/.
"""

import re
from pathlib import Path

import pytest

from tutorial_lib.authoring.build import sources


def pytest_addoption(parser):
    parser.addoption("--chapters", metavar="01,03", help="only the tests of these chapters")


def pytest_configure(config):
    if config.option.chapters:
        _chosen(config)


def pytest_collection_modifyitems(config, items):
    if not config.option.chapters:
        return
    slugs = _chosen(config)
    chosen = [item for item in items if slugs_of(item) & slugs]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


def _chosen(config) -> set[str]:
    """The slugs of the chapters asked for; a usage error for a number that there is not."""
    numbers = [part.zfill(2) for part in re.findall(r"[^\s,]+", config.option.chapters)]
    try:
        return {source.stem[3:] for source in sources(config.rootpath, numbers)}
    except ValueError as error:
        raise pytest.UsageError(f"--chapters: {error}") from None


def slugs_of(item) -> set[str]:
    """The slugs that a test has to do with, and some other words."""
    stem, folder = item.path.stem, item.path.parent.name
    found = {stem[3:]} if item.path.suffix == ".ipynb" else {*_beginnings(stem[5:]), folder}
    for value in getattr(item, "callspec", None) and item.callspec.params.values() or ():
        found.add(value.stem[3:] if isinstance(value, Path) else getattr(value, "slug", None))
    return found


def _beginnings(name: str) -> list[str]:
    """`vit_model` -> `vit`, `vit_model`."""
    words = name.split("_")
    return ["_".join(words[:count]) for count in range(1, len(words) + 1)]
