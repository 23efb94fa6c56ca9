"""Pages beside the chapters. To add one, add it to PAGES.

A page is either Markdown, or HTML in one file that needs nothing else (a quiz, an explainer), which
is shown inside a page of the book and can be opened alone.
"""
PAGES = ()
def sources(root): return {}
