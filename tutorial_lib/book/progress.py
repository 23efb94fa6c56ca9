"""A bar that shows how many pages of the book have been read and written."""

from tqdm import tqdm


def show(app) -> None:
    """Count the pages of a Sphinx build."""
    bars, look = {}, {"unit": "page", "leave": False, "mininterval": 0.5}

    def reading(app, env, docnames):
        bars["now"] = tqdm(total=len(docnames), desc="pages read", **look)

    def read(app, docname, content):
        bars["now"].update()

    def writing(app, env):
        if "now" in bars:
            bars["now"].close()
        total = len(env.found_docs)
        bars["now"] = tqdm(total=total, desc="pages written", **look)

    def written(app, pagename, templatename, context, doctree):
        bars["now"].update(doctree is not None)

    def done(app, error):
        if "now" in bars:
            bars["now"].close()

    app.connect("env-before-read-docs", reading)
    app.connect("source-read", read)
    app.connect("env-updated", writing)
    app.connect("html-page-context", written)
    app.connect("build-finished", done)
