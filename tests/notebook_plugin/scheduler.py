"""Which tests run in the same process: those of a file; of a file that runs many notebooks, those
of a notebook; and those of a chapter's exercises, whose known mistakes are tried once for all.
(xdist's own loadgroup marks do nothing under pytest 9.2.)"""

import re

from xdist.scheduler import LoadScopeScheduling


class SideBySide(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        if bank := re.search(r"exercises/test_(?:answers|exercises)\.py::\w+\[(\w+)\.", nodeid):
            return f"the exercises of {bank[1]}"
        chapter = re.search(r"\[.*?(\d\d_\w+)", nodeid)
        return nodeid.split("::")[0] + (chapter[1] if chapter else "")


def pytest_xdist_make_scheduler(config, log):
    return SideBySide(config, log) if config.getvalue("dist") == "loadfile" else None
