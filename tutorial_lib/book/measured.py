"""What `make bench` has recorded, as a page: how to read it, and a table for each machine."""

import json
import re
from itertools import groupby
from pathlib import Path

from tutorial_lib.book.claims import escape, table

FOLDER = Path(__file__).parents[2] / "benchmarks"
HEAD = "| method | what | time | times ours | of the limit | memory |"


def page(folder: Path = FOLDER) -> str:
    """Markdown made of benchmarks/README.md and results/bench-*.json; "" without the first."""
    readme = folder / "README.md"
    if not readme.exists():
        return ""
    text = readme.read_text(encoding="utf-8")
    lines = [re.sub(r"\[([^\]]+)\]\((?!https?:)[^)]*\)", r"\1", text), ""]  # of the repository
    for path in sorted(folder.glob("results/bench-*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        machine = record["machine"]
        about = f"Measured on {machine['date'][:10]} with PyTorch {machine['torch']}."
        lines += [f"## {escape(machine['device'])}", "", about, ""]
        for what, rows in groupby(record["rows"], key=lambda row: row["what"]):
            lines += [f"### {escape(what)}", "", *table("measured", HEAD, [_row(r) for r in rows])]
    return "\n".join(lines)


def _row(row: dict) -> str:
    way = f"{escape(row['method'])} | {row['mode']}, {row['dtype']}"
    memory = "" if row["peak_bytes"] is None else f"{row['peak_bytes'] / 1e6:.1f} MB"
    return (
        f"| {way} | {1e3 * row['seconds']:.2f} ms | {row['times_ours']:.2f} "
        f"| {row['share_of_limit']:.1%} | {memory} |"
    )
