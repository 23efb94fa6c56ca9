"""For who teaches with the course.

grading      a folder of hand-ins, graded: what each answer is, and what is said of it
submissions  the definitions of a hand-in by name, from notebooks and .py files
worker       an answer tried in a process of its own, with limits
guarding     what an answer may not do: read the course's answers, write, start programs
carrying     values brought from one process to another as plain bytes
reports      grades as CSV, JUnit and Gradescope's JSON
"""
