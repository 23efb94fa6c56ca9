"""Exercises whose answer is an `nn.Module` class: built, given the reference's weights, compared.

vit = ModuleExercise(ViT, level=3, minutes=30, cases=sizes_and_images, hints=(...))

A case is a dict: `arguments`, a dict for the constructor, then the inputs of `forward` by name. A
class is first built on PyTorch's meta device, which takes no memory, and its parameters and buffers
are compared by name and shape; so one that is far too large is never really made. Then it is a
function like any other: `Probe` turns a class into the named results that are compared.
"""

import ast
import contextlib
import inspect

import torch
from torch import nn

from tutorial_lib.checking.exercise import Exercise, NotYet
from tutorial_lib.checking.running import within
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


def structure(theirs: nn.Module, yours: nn.Module):
    """What differs in the parameters and buffers of two modules: a sentence each."""
    wanted, given = _entries(theirs), _entries(yours)
    hidden = _outside_of_lists(yours)
    yield from _shared(theirs, yours)
    for name, (kind, shape) in wanted.items():
        if name in given:
            found, size = given[name]
            if found != kind:
                yield f"{name} is a {found}, expected a {kind}: {WHY[kind]}"
            elif size != shape:
                yield f"{name} has the shape {size}, expected {shape}"
        elif name.split(".")[0] in hidden:
            first = name.split(".")[0]
            yield (
                f"{first} is a plain {hidden[first]}: PyTorch does not see what is in it. "
                "nn.ModuleList (or nn.Sequential) registers it"
            )
            return
        elif torch.is_tensor(getattr(yours, name, None)):
            yield f"{name} is a plain tensor, expected a {kind}: {WHY[kind]}"
    missing = [name for name in wanted if name not in given]
    others = _other_layers(theirs, yours, missing)
    for place, (found, layer) in others.items():
        yield f"{place} is {_a(found)}, expected {_a(layer)}"
    missing = [name for name in missing if _owner(name) not in others]
    for part, names in _by_part(missing).items():
        kind, shape = wanted[names[0]]
        if len(names) > 1:
            yield f"{part} is missing, with {len(names)} weights"
        elif not torch.is_tensor(getattr(yours, part, None)):
            yield f"{names[0]} is missing: a {kind} of shape {shape}"
    for part, names in _by_part(name for name in given if name not in wanted).items():
        weights = f", with {len(names)} weights" if len(names) > 1 else ""
        yield f"{part} is one too many{weights}"
    yield from _norms(theirs, yours)


def _owner(name: str) -> str:
    """The module that a weight belongs to: mlp.1 of mlp.1.running_mean."""
    return name.rpartition(".")[0]


def _other_layers(theirs, yours, missing) -> dict[str, tuple[str, str]]:
    """Where a weight is missing because one of PyTorch's layers stands in place of another: place
    -> (its name, the one expected). A class of the learner's own may be called as they like."""
    modules, found = dict(yours.named_modules()), {}
    for place in filter(None, map(_owner, missing)):
        other, layer = type(modules.get(place)), type(theirs.get_submodule(place))
        if other is not layer and other.__module__.startswith("torch.nn."):
            found[place] = (other.__name__, layer.__name__)
    return found


def _a(name: str) -> str:
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"


def _by_part(names) -> dict[str, list[str]]:
    """Names by the part of a list that they belong to, such as encoder.2; others by themselves."""
    parts = {}
    for name in names:
        words = name.split(".")
        parts.setdefault(".".join(words[:2]) if len(words) > 2 else name, []).append(name)
    return parts


def _shared(theirs, yours):
    """Weights that are one and the same under two names, where there should be two."""
    wanted, seen = len(set(theirs.parameters())), {}
    if len(set(yours.parameters())) >= wanted:
        return
    for name, weight in yours.named_parameters(remove_duplicate=False):
        if weight in seen:
            yield f"{name} is {seen[weight]} once more: one weight in two places, expected two"
            return
        seen[weight] = name


def _norms(theirs, yours):
    """Norms whose eps is another: of large numbers nothing would be seen."""
    modules = dict(yours.named_modules())
    for name, norm in theirs.named_modules():
        eps, other = getattr(norm, "eps", None), getattr(modules.get(name), "eps", None)
        if eps is not None and other is not None and eps != other:
            yield f"{name}.eps is {other:g}, expected {eps:g}"


WHY = {
    "parameter": "nn.Parameter is what an optimizer trains and a checkpoint keeps",
    "buffer": "register_buffer keeps a tensor that is saved and moved, and not trained",
}


def _entries(module: nn.Module) -> dict:
    """Name -> (kind, shape) of all that `state_dict` holds."""
    parameters = dict(module.named_parameters(remove_duplicate=False))
    return {
        name: ("parameter" if name in parameters else "buffer", tuple(value.shape))
        for name, value in module.state_dict(keep_vars=True).items()
    }


def _outside_of_lists(module: nn.Module) -> dict[str, str]:
    """Attributes that hold modules in a list, tuple or dict, however deep -> what they are."""
    return {
        name: type(value).__name__
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, nn.Module) and _holds_modules(value)
    }


def _holds_modules(value) -> bool:
    parts = value.values() if isinstance(value, dict) else value
    if isinstance(value, (list, tuple, dict)):
        return any(map(_holds_modules, parts))
    return isinstance(value, (nn.Module, nn.Parameter))


class Probe:
    """A class as a function: (arguments, *inputs) -> what its instances do, by name."""

    def __init__(self, cls, reference, shared=()):
        self.cls, self.reference, self.shared = cls, reference, shared
        self.names = list(inspect.signature(reference.forward).parameters)[1:]

    def __call__(self, arguments, *inputs):
        with torch.random.fork_rng(devices=[]), _default_dtype_of(inputs):
            return self._results(arguments, inputs)

    def _results(self, arguments, inputs):
        torch.default_generator.manual_seed(0)
        weights = _stirred(self.reference(**arguments).state_dict())
        module = self.cls(**arguments)
        module.load_state_dict(weights)
        return {
            "output in evaluation mode": _output(module.eval(), inputs),
            **self._with_gradients(module.train(), inputs),
            "called again": _output(module.eval(), inputs),
            "for twice the batch": _output(module, self._doubled(inputs)),
            "its state afterwards": {k: v.clone() for k, v in module.state_dict().items()},
        }

    def _doubled(self, inputs):
        """Twice the batch; what has one axis or none, or is shared, has no batch."""
        return [
            torch.cat([x, x])
            if torch.is_tensor(x) and x.ndim > 1 and name not in self.shared
            else x
            for name, x in zip(self.names, inputs)
        ]

    def _with_gradients(self, module, inputs) -> dict:
        """The output in training mode, and the gradients of a fixed weighted sum of it."""
        inputs = [_leaf(x) for x in inputs]
        torch.default_generator.manual_seed(2)  # of dropout
        out = module(*inputs)
        several = out if isinstance(out, (tuple, list)) else (out,)
        results = [t for t in several if torch.is_tensor(t)]
        weights = [torch.arange(1, t.numel() + 1).cos().view(t.shape).to(t) for t in results]
        total = sum((w * t).sum() for w, t in zip(weights, results))
        if torch.is_tensor(total) and total.requires_grad:
            total.backward()
        wanted = {f"gradient of {name}": x for name, x in zip(self.names, inputs)}
        wanted |= {f"gradient of {name}": p for name, p in module.named_parameters()}
        gradients = {
            name: torch.zeros_like(x) if x.grad is None else x.grad.clone()
            for name, x in wanted.items()
            if torch.is_tensor(x) and x.requires_grad
        }
        return {"output in training mode": _detached(out), **_without_rounding(gradients)}


def _without_rounding(gradients: dict) -> dict:
    """The gradients, with zeros for those that are nothing but rounding beside the largest: of a
    bias in front of a batch normalization, say, which no loss notices. Two right answers may round
    differently, and of rounding no digit agrees."""
    largest = max((x.abs().max().item() for x in gradients.values() if x.numel()), default=0.0)
    return {
        name: x if x.numel() and x.abs().max() > 1e-5 * largest else torch.zeros_like(x)
        for name, x in gradients.items()
    }


@contextlib.contextmanager
def _default_dtype_of(inputs):
    """New tensors are as precise as the inputs: of float64 ones the weights are float64 too. In a
    deep module float32 rounds so much that right answers part."""
    before = torch.get_default_dtype()
    floats = [x.dtype for x in inputs if torch.is_tensor(x) and x.is_floating_point()]
    torch.set_default_dtype(floats[0] if floats else before)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _stirred(weights: dict) -> dict:
    """The weights with noise, so that none is zero, one, or as small as it begins."""
    generator = torch.Generator().manual_seed(1)
    return {
        name: x + 0.3 * torch.randn(x.shape, generator=generator) if x.is_floating_point() else x
        for name, x in weights.items()
    }


def _output(module, inputs):
    torch.default_generator.manual_seed(2)
    with torch.no_grad():
        return module(*inputs)


def _leaf(x):
    floats = torch.is_tensor(x) and x.is_floating_point()
    return x.detach().clone().requires_grad_() if floats else x


def _detached(out):
    if isinstance(out, (tuple, list)):
        return tuple(map(_detached, out))
    return out.detach() if torch.is_tensor(out) else out
