"""Imported before nbformat, saves each process that reads notebooks about two seconds.

jsonschema, behind nbformat, imports rfc3987_syntax if it is there, which builds a grammar of web
addresses as it is imported. No notebook's schema asks for one, and jsonschema does without.
"""

import sys

sys.modules.setdefault("rfc3987_syntax", None)  # makes its import an ImportError
