"""The course as a book: pages made from the executed notebooks, readable without a network.

chapters   a solved notebook -> its pages: core, family, lab
front      the first page, the map of the survey
claims, indexes, glossary, api   the pages to look things up in
extra      pages beside the chapters: a list to add to; measured is one of them
build      write the sources, run Sphinx
"""
