"""The course as a book: pages made from the executed notebooks, readable without a network.

chapters   a solved notebook -> its pages: core, family, lab
front      the first page, the map of the survey
claims, indexes, glossary, api   the pages to look things up in
extra      further pages: a list to add to
build      write the sources, run Sphinx
"""
