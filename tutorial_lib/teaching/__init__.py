"""For who teaches with the course. Nothing else in it needs this.

commands     what the command line offers
workshop     a folder to hand out, and what the leader keeps
chapter      a chapter as a leader sees it: sections, minutes, questions
notes        leader's notes, as a page
slides       a chapter's core, as slides
pages        pages of one file each
wheelhouse   packages for a room without a network
catch_up     jump to any section of a chapter, in a learner's notebook
room         how far a room is, as a page and a table
grading      a folder of hand-ins, graded: what each answer is, and what is said of it
submissions  the definitions of a hand-in by name, from notebooks and .py files
judging      one task's answers, judged on the cases of one seed
worker       an answer tried in a process of its own, with limits
guarding     what an answer may not do: read the course's answers, write, start programs
carrying     values brought from one process to another as plain bytes
messages     what is said of an answer
reports      grades as CSV, JUnit and Gradescope's JSON
"""
