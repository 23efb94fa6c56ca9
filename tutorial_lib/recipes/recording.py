"""Many small trainings side by side, and their table: what the recipes with a record share."""

import argparse
import os
from multiprocessing import get_context
from pathlib import Path

import torch
from tqdm import tqdm

from tutorial_lib import benchmarking
from tutorial_lib.device import best_device


def record(name, rows, measure, arguments=None, **settings):
    """Measure every row in processes of their own and write benchmarks/results/NAME-DEVICE.json.

    name       of the record, as `benchmarking.recorded` finds it again
    rows       dicts that say what is to be measured; they must survive pickling
    measure    a function of a module, row -> row with what was measured; it runs on one thread
    arguments  of the command line: --out FILE, --processes N; sys.argv if not given
    settings   what all rows share, kept beside them
    """
    parser = argparse.ArgumentParser(prog=name, description=f"Measure the record {name!r}.")
    parser.add_argument("--out", type=Path, help="the JSON file to write")
    parser.add_argument("--processes", type=int, default=min(8, os.cpu_count()))
    options = parser.parse_args(arguments)
    machine, done = benchmarking.machine(best_device()) | {"threads": 1}, []
    path = options.out or benchmarking.result_file(name, machine)
    with get_context("spawn").Pool(options.processes, torch.set_num_threads, (1,)) as pool:
        for row in tqdm(pool.imap_unordered(measure, rows), total=len(rows), desc="training"):
            done.append(row)  # saved as it grows: what was measured is not lost
            benchmarking.save(path, done, machine, **settings)
    print(f"wrote {path}")
