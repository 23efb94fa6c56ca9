"""The exercises, a module per chapter: reference, cases, hints and known mistakes."""
