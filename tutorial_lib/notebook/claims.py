"""What the text says, executed: a claim shows its figures or stops the notebook."""

import math
import os
import textwrap

WIDTH = 58  # letters: what fits a window of 900 pixels beside JupyterLab's file browser
# What a test may not compare, because it differs between machines, is printed behind this mark.
MEASURED = "  measured  "


class ClaimFailed(Exception):
    """The text promises something that did not happen."""


def quick() -> bool:
    """True in quick mode (TUTORIAL_QUICK=1): training is cut to a few steps, so that a notebook
    can be run to its end in seconds, and what depends on training is not checked."""
    return os.environ.get("TUTORIAL_QUICK", "") not in ("", "0")


def steps(count: int) -> int:
    """How many training steps to take: `count`, or 3 in quick mode."""
    return min(count, 3) if quick() else count


def claim(text: str, holds: bool, *, system: str = "", trained: bool = False, **measured) -> None:
    """Assert a claim and print it with the figures that show it.

    text      the claim, as the chapter says it
    holds     whether it does, computed from what was measured
    system    id of the system in survey.toml that the claim is about
    trained   True if it depends on training: then quick mode does not check it
    measured  the figures, baseline and negative control among them: accuracy=0.93, baseline=0.1
    Raises ClaimFailed, with the figures, if it does not hold; TypeError if `holds` is not a bool.
    """
    if type(holds).__name__ not in ("bool", "bool_"):
        raise TypeError(f"claim: holds should be True or False, got {holds!r}")
    said = ", ".join(f"{_words(k)} {_figure(v)}" for k, v in measured.items())
    figures = _lines(MEASURED + said, indent=len(MEASURED))
    label = f"claim [{system}]" if system else "claim"
    if trained and quick():
        print(_lines(f"– {label}: {text} (not checked in quick mode)", indent=2))
        return
    if not holds:
        raise ClaimFailed(f"{text}\n{figures}")
    print(_lines(f"✓ {label}: {text}", indent=2) + (f"\n{figures}" if measured else ""))


def _lines(text: str, indent: int) -> str:
    """The text in lines of at most WIDTH letters, all but the first indented; no word is broken."""
    return textwrap.fill(
        text, WIDTH, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )


def _words(name: str) -> str:
    return name.replace("_", " ")


def _figure(value) -> str:
    """Three significant digits; a list as mean ± spread over its seeds."""
    if isinstance(value, (list, tuple)):
        mean = math.fsum(value) / len(value)
        spread = (max(value) - min(value)) / 2
        return f"{mean:.3g} ± {spread:.2g} ({len(value)} seeds)"
    return str(value) if isinstance(value, (int, str, bool)) else f"{float(value):.3g}"
