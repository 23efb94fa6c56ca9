"""Exercises that diagnose. `Exercise` is what chapters use; the other modules serve it.

exercise      a task: reference, cases, hints, known mistakes, and `check`
modules       a task whose answer is an nn.Module class
structure     what differs in two modules' parameters and buffers, in words
probing       what instances of a class do with given weights
training      a task whose answer is a training step
from_nothing  a goal and an empty cell: judged by what the learner's model does
mine          a learner's passed answers, kept in work/mine/
yours         a later chapter goes on with such an answer, or with the course's
definitions   an answer's source, and that of all it uses
merging       definitions put into a file that holds others
attempts      what a learner tried, in work/progress.jsonl
trials        an answer tried on every case, in two memory layouts
running       one call: fresh copies, a time limit, the learner's own traceback
comparing     where two values part, in words
resemblance   slips that are the same in every task: a sign, a factor, an axis
diagnosis     the message a learner reads
earlier       whether a wrong answer is wrong because of an earlier one that it calls
questions     "which mistake is it?", made from the known mistakes
question_page such a question as HTML
"""

from tutorial_lib.checking.exercise import Exercise, NotYet

__all__ = ["Exercise", "NotYet"]
