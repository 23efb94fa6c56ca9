"""Change one thing in an exercise's reference, and see whether the check notices.

    python -m tutorial_lib mutate --chapters 05

A mutant that passes every try is a *survivor*: either it means the same, or the cases cannot tell a
learner's slip of that kind, and a case is missing. An author reads the list and decides.
"""

import ast
import copy
import importlib
import textwrap
import warnings
from collections.abc import Iterator

from tutorial_lib.checking import Exercise
from tutorial_lib.checking.trials import agrees

OTHER = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Pow: ast.Mult, ast.MatMult: ast.Add,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip


def survivors(exercise: Exercise) -> list[str]:
    """What may be changed in the reference without the check noticing: "line: old -> new"."""
    return [said for said, mutant in mutants(exercise) if _passes(exercise, mutant)]


def mutants(exercise: Exercise) -> Iterator[tuple[str, object]]:
    """(what was changed, the changed function or class), one change each."""
    tree = ast.parse(textwrap.dedent(exercise.source()))
    definition = tree.body[0]
    names = [argument.arg for argument in _arguments(definition)]
    words = {id(n) for r in ast.walk(tree) if isinstance(r, ast.Raise) for n in ast.walk(r)}
    for place, node in enumerate(ast.walk(tree)):
        if id(node) in words:  # what an error says is not judged
            continue
        for replacement in _changes(node, names):
            changed = copy.deepcopy(tree)
            target = list(ast.walk(changed))[place]
            _put(changed, target, replacement)
            ast.fix_missing_locations(changed)
            said = f"line {node.lineno}: {ast.unparse(node)} -> {ast.unparse(replacement)}"
            yield said, _made(exercise, changed)


def _arguments(definition) -> list:
    if isinstance(definition, ast.ClassDef):
        return []
    return [a for a in definition.args.args if a.arg != "self"]


def _changes(node, names: list[str]) -> Iterator[ast.AST]:
    """Other nodes that may stand in the place of this one."""
    if isinstance(node, ast.BinOp):
        if type(node.op) in OTHER:
            yield ast.BinOp(node.left, OTHER[type(node.op)](), node.right)
        yield node.left
        yield node.right
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in OTHER:
        yield ast.Compare(node.left, [OTHER[type(node.ops[0])]()], node.comparators)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        yield ast.Constant(node.value + 1)
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names:
        yield from (ast.Name(other, ast.Load()) for other in names if other != node.id)
    elif isinstance(node, ast.UnaryOp):
        yield node.operand


def _put(tree, target, replacement) -> None:
    """Replace a node by another wherever it hangs in the tree."""
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if value is target:
                setattr(parent, field, copy.deepcopy(replacement))
                return
            if isinstance(value, list) and any(one is target for one in value):
                value[:] = [copy.deepcopy(replacement) if one is target else one for one in value]
                return


def _made(exercise: Exercise, tree):
    namespace = dict(vars(importlib.import_module(exercise.reference.__module__)))
    exec(compile(tree, f"<mutant of {exercise.name}>", "exec"), namespace)
    return namespace[exercise.name]


def _passes(exercise: Exercise, mutant) -> bool:
    """Whether every try is right; the smallest cases come first, so most mutants fail at once."""
    reference = exercise.as_function(exercise.reference)
    function = exercise.as_function(mutant)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return all(
            agrees(exercise.tries(reference, [case]), function, min(exercise.seconds, 2))
            for case in exercise.all_cases()
        )
