"""What is in a notebook's file, as far as a learner's work is concerned: its cells.

JupyterLab saves a notebook that was only opened with other bytes: it adds `language_info`, outputs,
execution counts, marks of what is folded, and an empty cell after the last one was run. None of
that is work; what was written, and in which kind of cell, is.
"""

import hashlib
import json
from pathlib import Path


def cells(data: bytes) -> list[tuple[str, str]]:
    """(type, source) of every cell of a notebook's file that is not blank.

    Raises ValueError, which says what is wrong, for what is no notebook.
    """
    if not data.strip():
        raise ValueError("it is empty")
    try:
        found = [(c["cell_type"], "".join(c["source"])) for c in json.loads(data)["cells"]]
    except UnicodeDecodeError as error:
        raise ValueError("it is not text in UTF-8") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"it breaks off or is damaged in line {error.lineno}") from error
    except (KeyError, TypeError) as error:
        raise ValueError("it has no cells of a notebook") from error
    return [(kind, source) for kind, source in found if source.strip()]


def fingerprint(data: bytes) -> str | None:
    """A hash of the cells that is the same however JupyterLab saves them; None for no notebook."""
    try:
        return hashlib.sha256(json.dumps(cells(data)).encode()).hexdigest()
    except ValueError:
        return None


def has_outputs(data: bytes) -> bool:
    """Whether a cell of this notebook was run and shows something."""
    return any(cell.get("outputs") for cell in json.loads(data)["cells"])


def kept_copy(path: Path) -> bytes | None:
    """An earlier state of a notebook that JupyterLab kept, the latest that is whole, or None.

    While it saves `x.ipynb`, JupyterLab keeps the state before as `.~x.ipynb`; a server that is
    killed then leaves it behind. A checkpoint is older: the state at the last save by hand.
    """
    checkpoint = path.parent / ".ipynb_checkpoints" / f"{path.stem}-checkpoint.ipynb"
    for place in (path.with_name(f".~{path.name}"), checkpoint):
        try:
            data = place.read_bytes()
            cells(data)
        except (OSError, ValueError):
            continue
        return data
    return None
