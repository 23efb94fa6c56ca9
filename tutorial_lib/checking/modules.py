"""Exercises whose answer is an `nn.Module` class: built, given the reference's weights, compared.

vit = ModuleExercise(ViT, level=3, minutes=30, cases=sizes_and_images, hints=(...))

A case is a dict: `arguments`, a dict for the constructor, then the inputs of `forward` by name. A
class is first built on PyTorch's meta device, which takes no memory, and its parameters and buffers
are compared by name and shape; so one that is far too large is never really made. Then it is a
function like any other: `Probe` turns a class into the named results that are compared.
"""

import ast

import torch
from torch import nn

from tutorial_lib.checking.exercise import Exercise, NotYet
from tutorial_lib.checking.probing import Probe
from tutorial_lib.checking.running import within
from tutorial_lib.checking.structure import structure
from tutorial_lib.checking.trials import Rules

WITHOUT_SUPER = (
    "`super().__init__()` must be the first line of `__init__`: it makes the places in which "
    "nn.Module keeps layers and parameters."
)
SEEDS = 200  # over which an initialisation is judged


class ModuleExercise(Exercise):
    """An exercise whose reference is a class; the other arguments are those of `Exercise`.

    initial  parameter's name -> (mean, standard deviation) that the docstring asks for; judged over
             seeds, on the last case
    shared   inputs of `forward` that all examples of a batch share, such as a mask without a batch
    """

    def __init__(
        self,
        reference: type[nn.Module],
        *,
        initial: dict | None = None,
        shared: tuple[str, ...] = (),
        **settings,
    ):
        super().__init__(reference, **settings)
        self.initial, self.shared = initial or {}, shared

    @property
    def rules(self):
        return Rules(in_graph=False)  # what it gives are gradients and weights already

    def as_function(self, answer):
        return Probe(answer, self.reference, self.shared)

    def when_right(self, trial) -> str:
        weights = len(list(_on_meta(self.reference, trial.case["arguments"]).parameters()))
        return (
            "    outputs in both modes, a second call, twice the batch, and the gradients of the\n"
            f"    input and of all {weights} weights agree"
        )

    def stub(self) -> str:
        """The class with its docstrings; each method asks to be written."""
        source, rows = self.source(), []
        tree = ast.parse(source).body[0]
        lines = source.splitlines()
        first = next(node for node in tree.body if isinstance(node, ast.FunctionDef))
        rows += lines[: first.lineno - 1]
        for method in (node for node in tree.body if isinstance(node, ast.FunctionDef)):
            told = ast.get_docstring(method) is not None
            end = method.body[0].end_lineno if told else method.body[0].lineno - 1
            rows += [*lines[method.lineno - 1 : end], "        raise NotImplementedError", ""]
        rows[-2] += "  # your turn"
        return "\n".join(rows).rstrip()

    def _check_callable(self, answer) -> None:
        if not (isinstance(answer, type) and issubclass(answer, nn.Module)):
            kind = "a module that is built already" if isinstance(answer, nn.Module) else "no class"
            raise NotYet(
                f"✗ {self.name}: check takes the class itself, below nn.Module; this is {kind}.\n"
                f"  expected  exercise.{self.name}.check({self.name})"
            )
        super()._check_callable(answer)

    def _bind(self, signature, wanted) -> None:
        signature.bind(**dict.fromkeys(wanted))  # a module is made with its arguments by name

    def before_the_tries(self, answer) -> str:
        """Are the parameters and buffers of the class those of the reference?"""
        for case in self.all_cases():
            arguments = case["arguments"]
            try:
                yours = within(self.seconds, _built, answer, arguments)
            except (Exception, SystemExit) as error:
                if "before Module.__init__() call" in str(error):
                    return f"✗ {self.name}: not right yet\n\n{WITHOUT_SUPER}"
                return ""  # the tries show the error, or that it is the stub
            theirs = _on_meta(self.reference, arguments)
            if told := list(structure(theirs, yours)):
                called = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
                rows = [f"✗ {self.name}: not right yet", "", f"In {self.name}({called}):"]
                return "\n".join(rows + [f"  {line}" for line in told])
        return ""

    def beside_the_tries(self, answer) -> str:
        """Does a parameter begin otherwise than the docstring asks for?"""
        arguments = self.all_cases()[-1]["arguments"]
        for name, wanted in self.initial.items():
            values = []
            with torch.random.fork_rng(devices=[]):  # the notebook's own draws stay what they are
                for seed in range(SEEDS):
                    torch.default_generator.manual_seed(seed)
                    made = dict(answer(**arguments).named_parameters())
                    values.append(made[name].detach().flatten())
            values = torch.cat(values).double().numpy()
            found, spread = values.mean(), values.std()
            margin = 5 * max(wanted[1], 1e-12) / len(values) ** 0.5
            if abs(found - wanted[0]) > margin or abs(spread - wanted[1]) > margin:
                return (
                    f"right but for how {name} begins.\n"
                    f"  expected  mean {wanted[0]:g}, standard deviation {wanted[1]:g}\n"
                    f"  yours     mean {found:.3g}, standard deviation {spread:.3g}, over {SEEDS} "
                    "seeds"
                )
        return ""


def _built(cls, arguments):
    """An instance without memory, or a real one where `__init__` asks a tensor for its number."""
    try:
        return _on_meta(cls, arguments)
    except RuntimeError as error:
        if "meta tensors" not in str(error):
            raise
        return cls(**arguments)


def _on_meta(cls, arguments):
    with torch.device("meta"):
        return cls(**arguments)
