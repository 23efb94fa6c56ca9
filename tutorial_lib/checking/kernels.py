"""Exercises whose answer is a GPU kernel: it is launched on every case, and its output compared.

tile = KernelExercise(tile, launch=launch_tile, why_not=why_not, level=4, minutes=30, ...)

The answer is the kernel itself, as a plain function or decorated. Where none can run the course's
version takes its place, with a sentence.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable

from tutorial_lib.checking.exercise import Exercise
from tutorial_lib.checking.trials import Rules


class KernelExercise(Exercise):
    """An exercise whose reference is a kernel; the other arguments are those of `Exercise`.

    launch   (kernel, *arguments of a case) -> what is compared
    why_not  () -> why no kernel can run on this machine, "" where one can
    """

    def __init__(self, reference, *, launch: Callable, why_not: Callable[[], str], **settings):
        super().__init__(reference, **settings)
        self.launch, self.why_not = launch, why_not

    @property
    def rules(self):
        # Pointers know nothing of gradients, and arrays are copied to where a kernel wants them.
        return Rules(in_graph=False, strided=False)

    def as_function(self, answer):
        def launched(*arguments):
            if _is_empty(answer):  # a compiler would have other words for it
                raise NotImplementedError
            return self.launch(answer, *arguments)

        return launched

    def check(self, answer):
        """As `Exercise.check`; a kernel that is decorated is returned as the function below."""
        answer = getattr(answer, "fn", answer)
        if why := self.why_not():
            why = "not done yet" if _is_empty(answer) else why
            print(f"○ {self.name}: {why}. The course's own version takes its place below.")
            return self.reference
        return super().check(answer)


def _is_empty(kernel) -> bool:
    """Whether a kernel is still the stub: one `raise NotImplementedError` below its docstring."""
    try:
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kernel))).body
    except (OSError, SyntaxError, TypeError, ValueError):
        return False
    steps = tree.body[ast.get_docstring(tree) is not None :] if hasattr(tree, "body") else []
    return [ast.unparse(step) for step in steps] == ["raise NotImplementedError"]
