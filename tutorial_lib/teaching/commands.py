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
    workshop = command("workshop", run_workshop, "Write a folder for a workshop.")
    workshop.add_argument("--chapters", **MANY | {"required": True})
    workshop.add_argument("--out", type=Path, help="where (default: build/workshop-01-05)")
    systems = "whose wheels are fetched: linux, linux-arm, mac, windows (default: this machine's)"
    workshop.add_argument("--systems", nargs="+", metavar="windows-3.12", help=systems)
    workshop.add_argument("--no-wheels", action="store_true", help="none: some hundred MB less")
    workshop.add_argument("--zip", action="store_true", help="pack what learners get as well")
    room = command("room", run_room, "Show how far a room is, from its learners' folders.")
    room.add_argument("folder", type=Path, help="below it, each learner's work/ or progress.jsonl")
    room.add_argument("--out", type=Path, help="where room.html and room.csv go (default: build)")
    room.add_argument("--names", action="store_true", help="call learners as their folders are")
    room.add_argument("--watch", action="store_true", help="again every few seconds, until Ctrl-C")
    room.add_argument("--chapters", **MANY)


def run_room(options) -> None:
    """Write the page and the table, once or until Ctrl-C."""
    import time

    from tutorial_lib.teaching import room

    out = options.out or options.root / "build"
    numbers = options.chapters and [number.zfill(2) for number in options.chapters]
    try:
        while True:
            found = room.read(options.folder, options.root, numbers, options.names)
            room.write(found, out)
            print(f"{out / 'room.html'} and room.csv: {len(found.learners)} learners", flush=True)
            if not options.watch:
                return
            time.sleep(room.SECONDS)
    except KeyboardInterrupt:
        return


def run_workshop(options) -> None:
    from tutorial_lib.teaching import wheelhouse, workshop

    numbers = [number.zfill(2) for number in options.chapters]
    out = options.out or options.root / "build" / f"workshop-{'-'.join(numbers)}"
    systems = options.systems or [wheelhouse.this_system()]
    systems = [] if options.no_wheels else systems
    print("\n".join(workshop.write(options.root, numbers, out, systems, options.zip)))


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
