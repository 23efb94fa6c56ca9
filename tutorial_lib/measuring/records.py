"""Records: measurements kept as JSON in benchmarks/results, and how they are made and found again.

A record NAME is a file for each device, NAME-DEVICE.json, or for all of them, NAME.json.
"""

import argparse
import json
import os
import re
from multiprocessing import get_context
from pathlib import Path

import torch
from tqdm import tqdm

from tutorial_lib.measuring import benchmarking

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"


def result_file(name, machine):
    """Where the results of `name` on a `machine()` are kept: a file for each device."""
    device = re.sub(r"[^a-z0-9]+", "-", machine["device"].lower()).strip("-")
    return RESULTS / f"{name}-{device}.json"


def recorded(name):
    """The results kept in benchmarks/results for `name` ("attention"), a device each; not those of
    a longer name that begins alike."""
    found = [(path, load(path)) for path in sorted(RESULTS.glob(f"{name}-*.json"))]
    return [result for path, result in found if path == result_file(name, result["machine"])]


def names(path):
    """Every word by which code may ask for a file: its whole name, or what stands in front of its
    device. `recorded("vit")` asks for vit-amd-epyc.json; for another file than a record, its name.
    """
    stem = Path(path).stem
    return {Path(path).name} | {stem[:i] for i, letter in enumerate(stem) if letter == "-"}


def save(path, rows, machine, **more):
    """Write measurements as JSON: `rows` (a list of dicts), `machine()`, and what else is named.
    The folder is made if there is none."""
    text = json.dumps({"machine": machine, **more, "rows": rows}, indent=1)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text + "\n", encoding="utf-8")


def load(path):
    """What `save` wrote: a dict with "rows", "machine" and the rest."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def record(name, rows, measure, arguments=None, **settings):
    """Measure every row in processes of their own and write benchmarks/results/NAME-DEVICE.json.

    name       of the record, as `recorded` finds it again
    rows       dicts that say what is to be measured; they must survive pickling
    measure    a function of a module, row -> row with what was measured; it runs on one thread
    arguments  of the command line: --out FILE, --processes N; sys.argv if not given
    settings   what all rows share, kept beside them
    """
    parser = argparse.ArgumentParser(prog=name, description=f"Measure the record {name!r}.")
    parser.add_argument("--out", type=Path, help="the JSON file to write")
    parser.add_argument("--processes", type=int, default=min(8, os.cpu_count()))
    options = parser.parse_args(arguments)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    machine, done = benchmarking.machine(device) | {"threads": 1}, []
    path = options.out or result_file(name, machine)
    with get_context("spawn").Pool(options.processes, torch.set_num_threads, (1,)) as pool:
        for row in tqdm(pool.imap_unordered(measure, rows), total=len(rows), desc="training"):
            done.append(row)  # saved as it grows: what was measured is not lost
            save(path, done, machine, **settings)
    print(f"wrote {path}")
