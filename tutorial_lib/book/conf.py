"""Sphinx's settings for the book. `tutorial_lib/book/build.py` writes the sources and calls it."""

from tutorial_lib.book import progress
from tutorial_lib.course import online

project = "Visual Transformer Course"
author = ""  # the theme would print it again
copyright = "its authors. Code: MIT. Text and figures: CC BY 4.0"  # noqa: A001
language = "en"

extensions = ["myst_nb", "sphinx.ext.mathjax"]
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # the notebooks were executed by `make build`
nb_merge_streams = True

# Every name that the pages refer to must be there. Of other libraries, no inventory can be had
# offline, so names in annotations that are not the course's are not looked for.
nitpicky = True
nitpick_ignore_regex = [(r"py:.*", r"(?!tutorial_lib).*")]

add_module_names = False  # a page's title is its module
html_theme = "sphinx_book_theme"
html_title = project
html_static_path = ["static"]
html_css_files = ["book.css"]
html_js_files = ["book.js"]
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_last_updated_fmt = None  # the same sources make the same pages
html_theme_options = {
    "repository_url": online.repository(),
    "use_repository_button": True,
    "use_download_button": False,
    "navbar_persistent": [],  # the sidebar has the search field
    "home_page_in_toc": True,
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "collapse_navbar": True,
}

# MathJax 3 in one file: version 4 fetches letters such as those of \mathcal from elsewhere. Without
# its menu, which fetches too.
mathjax_path = "mathjax/tex-svg.js"
mathjax3_config = {
    "tex": {"packages": {"[-]": ["autoload", "require"]}},
    "options": {"enableMenu": False},
}


def setup(app):
    progress.show(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
