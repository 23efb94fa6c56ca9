"""Terminals that cannot show everything: plain characters in place of an error."""

import codecs
import sys

PLAIN = {"✓": "+", "✗": "x", "○": "o", "●": "*", "–": "-", "…": "...", "→": "->", "×": "x"}


def plain(error: UnicodeEncodeError) -> tuple[str, int]:
    """An error handler for codecs: what a console cannot write, in ASCII, `?` where there is none.
    Blocks of a bar become # and a full stop."""
    text = error.object[error.start : error.end]
    bars = {"█": "#", "·": "."}
    return "".join((PLAIN | bars).get(letter, "?") for letter in text), error.end


def use_plain_characters() -> None:
    """Let this process print on any console, and keep what is not UTF-8 from stopping it."""
    codecs.register_error("plain", plain)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not so where a test or a notebook has taken its place
            stream.reconfigure(errors="plain")
