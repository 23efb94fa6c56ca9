"""Start a chapter: a source with every section, and an exercise module, that build and pass."""

from importlib import resources
from pathlib import Path

from tutorial_lib.course import survey


def new_chapter(root: Path, number: str) -> list[Path]:
    """Write chapters/NN_slug.md and tutorial_lib/exercises/slug.py for a chapter of survey.toml.

    Returns the files written. Raises FileExistsError if the chapter has a source already and
    KeyError for a number that survey.toml does not know.
    """
    chapter = survey.load().chapter(number)
    templates = resources.files("tutorial_lib.authoring") / "templates"
    targets = {
        "chapter.md": root / "chapters" / f"{chapter.number}_{chapter.slug}.md",
        "exercises.py": root / "tutorial_lib" / "exercises" / f"{chapter.slug}.py",
    }
    for target in targets.values():
        if target.exists():
            raise FileExistsError(f"{target.relative_to(root)} is there already; nothing written")
    for name, target in targets.items():
        text = (templates / name).read_text(encoding="utf-8")
        for field in ("number", "slug", "title", "minutes", "level", "about"):
            text = text.replace(f"<{field}>", str(getattr(chapter, field)))
        target.write_text(text, encoding="utf-8")
    return list(targets.values())
