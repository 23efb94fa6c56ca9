"""`make bench`: everything the course has built beside what people would pick instead.

    python -m benchmarks.bench [--device cpu|cuda|mps] [--only NAME] [--quick] [--out FILE]

How it is measured and what a row says: `benchmarks/side_by_side.py`; how to read the figures:
`benchmarks/README.md`. Writes results/bench-<device>.json.
"""

from benchmarks import detr, layers, side_by_side, vit, windows

CONTESTS = layers.CONTESTS | vit.CONTESTS | windows.CONTESTS | detr.CONTESTS


def main(arguments=None):
    side_by_side.run("bench", CONTESTS, arguments)


if __name__ == "__main__":
    main()
