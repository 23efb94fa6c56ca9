"""The browser that looks at our pages: Chromium, through playwright, with no network.

    with browser.page(path, width=390, dark=True) as page:
        ...
    # leaving the block fails if the page asked for a file or wrote an error to the console

Both come from elsewhere, Chromium from the system and playwright from pip, so where one of them
is missing the test is skipped and says which.
"""

import contextlib
import shutil
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (  # no sandbox: containers run as root; the rest keeps the browser quiet
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
)


@contextlib.contextmanager
def launched():
    """A playwright browser, or the test skipped with the reason."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="pages are not looked at: playwright is not installed"
    )
    found = [path for path in map(shutil.which, NAMES) if path]
    if not found:
        pytest.skip("pages are not looked at: no Chromium or Chrome on this machine's PATH")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=found[0], args=list(FLAGS))
        yield browser
        browser.close()


@contextlib.contextmanager
def page(path: Path, width=1280, height=900, dark=False, fragment="", near=()):
    """Open a file in a browser of its own; on leaving, no error and no request may have happened.

    ``near`` are folders whose files the page may load (a site's own); anything else, and the
    whole network, is refused and reported.
    """
    start = Path(path).resolve().as_uri()
    allowed = (start, *(Path(folder).resolve().as_uri() + "/" for folder in near))
    complaints = []

    def judge(route):
        if route.request.url.startswith((*allowed, "data:", "blob:")):
            route.continue_()
        else:
            complaints.append(f"asked for {route.request.url}")
            route.abort()

    with launched() as browser:
        opened = browser.new_page(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",  # screenshots that do not depend on the moment
        )
        opened.route("**/*", judge)
        opened.on("pageerror", lambda error: complaints.append(f"threw {error}"))
        opened.on(
            "console",
            lambda line: line.type == "error" and complaints.append(f"console: {line.text}"),
        )
        opened.goto(start + fragment)
        yield opened
        assert not complaints, "\n".join(complaints)


def too_wide(opened):
    """How many pixels the page is wider than its window: 0 where nothing scrolls sideways."""
    return opened.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
