"""chapters/NN_slug.md -> the learner notebook and the solved, executed one.

expand     one source into two notebooks: exercises empty, or filled in
execute    run the solved one and keep only what is the same next time
build      do both for the chapters that changed
scaffold   start a new chapter
"""

from tutorial_lib.authoring.build import build
from tutorial_lib.authoring.scaffold import new_chapter

__all__ = ["build", "new_chapter"]
