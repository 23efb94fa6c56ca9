"""Whether a function is still the one that a find-the-bug task starts from, word by word."""

import ast
import inspect
import textwrap


def same_code(answer, start) -> bool:
    """Whether two functions have the same body, but for comments, docstrings and blanks."""
    try:
        return _body(answer) == _body(start)
    except (OSError, SyntaxError, TypeError, ValueError):  # no source, so it is nobody's stub
        return answer is start


def _body(function) -> list[str]:
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    if not isinstance(tree, ast.FunctionDef):
        raise ValueError("a lambda")
    return [ast.dump(step) for step in tree.body[ast.get_docstring(tree) is not None :]]
