"""The commands for who teaches: `grade`, `workshop` and `room`. What they need is imported late."""

from pathlib import Path

MANY = dict(nargs="+", metavar="01,05", help="only these (default: all)")


def add(command) -> None:
    """Add them to the course's commands; `command(name, run, text)` gives a parser."""
    grade = command("grade", run_grade, "Grade a folder of hand-ins, notebooks or .py files.")
    grade.add_argument("folder", type=Path, help="each folder or file directly in it is a hand-in")
    grade.add_argument("--out", type=Path, help="where grades go (default: FOLDER-grades)")
    grade.add_argument("--seed", type=int, help="of the cases (default: a fresh one)")
    grade.add_argument("--chapters", **MANY)


def run_grade(options) -> None:
    """Grade, write the files, and print a line for each hand-in."""
    import os
    import secrets

    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # a GPU cannot be shared with a forked process
    from tutorial_lib.teaching import grading, reports

    folder = options.folder.resolve()
    seed = secrets.randbits(32) if options.seed is None else options.seed
    graded = []
    for hand_in in grading.grade_folder(folder, options.root, options.chapters, seed):
        graded.append(hand_in)
        print(f"{hand_in.points:>3} of {hand_in.of}  {hand_in.name}", flush=True)
        for note in hand_in.notes:
            print(f"          {note}")
    out = options.out or folder.with_name(f"{folder.name}-grades")
    reports.write(graded, out)
    print(f"\nseed {seed}; written to {out}: grades.csv, messages.csv, junit.xml, gradescope/")
