"""The exercises, a package per chapter: reference, cases, hints and known mistakes."""

import importlib


def in_files(package: str, files: dict[str, str]):
    """`__all__`, `__getattr__` and `__dir__` of a chapter's package, from exercise -> its file.

    A file is read when one of its exercises is asked for, so those in NumPy need no PyTorch.
    """

    def get(name: str):
        if name not in files:
            raise AttributeError(f"{package} has no {name}; it has {', '.join(files)}")
        return getattr(importlib.import_module(f"{package}.{files[name]}"), name)

    return list(files), get, lambda: list(files)
