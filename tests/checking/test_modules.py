"""Checks of classes: what is missing or too much, outputs, gradients, modes, initialisation."""

import pytest
import torch
import torch.nn.functional as F
from checking_helpers import message
from torch import nn

from tutorial_lib.checking import NotYet
from tutorial_lib.checking.modules import ModuleExercise


class Gate(nn.Module):
    """x times a gate, plus a shift: layers `inside`, a parameter `shift`, a buffer `scale`.

    dim features; depth linear maps. `shift` begins normal, with standard deviation 0.02.
    """

    def __init__(self, dim, depth):
        """Make the layers."""
        super().__init__()
        self.inside = nn.ModuleList(nn.Linear(dim, dim) for _ in range(depth))
        self.shift = nn.Parameter(0.02 * torch.randn(dim))
        self.register_buffer("scale", torch.ones(1))
        self.dropout = nn.Dropout(0.5)

    def forward(self, x):
        """(B, N, dim) -> (B, N, dim)"""
        y = x
        for layer in self.inside:
            y = layer(y)
        return self.dropout(x * y.sigmoid()) + self.scale * self.shift


def sizes(rng):
    for B, N, dim, depth in [(1, 1, 2, 1), (2, 3, 4, 2), (3, 2, 5, 1)]:
        arguments = dict(dim=dim, depth=depth)
        yield dict(arguments=arguments, x=torch.from_numpy(rng.normal(size=(B, N, dim))).float())


def make():
    exercise = ModuleExercise(
        Gate, level=2, minutes=10, cases=sizes, hints=("a", "b", "c"), seconds=5,
        initial={"shift": (0, 0.02)},
    )  # fmt: skip

    @exercise.mistake("You leave the gate open: what is between 0 and 1?")
    class no_sigmoid(Gate):
        def forward(self, x):
            y = x
            for layer in self.inside:
                y = layer(y)
            return self.dropout(x * y) + self.scale * self.shift

    return exercise


def changed(**methods):
    """A class like Gate, named so, with other methods, which may call `super()` by Gate's name."""
    return type("Gate", (Gate,), methods)


def init(self, dim, depth, **parts):
    nn.Module.__init__(self)
    made = dict(
        inside=nn.ModuleList(nn.Linear(dim, dim) for _ in range(depth)),
        shift=nn.Parameter(0.02 * torch.randn(dim)),
        dropout=nn.Dropout(0.5),
        scale=torch.ones(1),
    ) | {name: part(dim, depth) for name, part in parts.items()}
    for name, part in made.items():
        if name == "scale" and "scale" not in parts:
            self.register_buffer(name, part)
        elif part is not None:
            setattr(self, name, part)


def with_parts(**parts):
    return changed(__init__=lambda self, dim, depth: init(self, dim, depth, **parts))


def test_a_right_class_is_given_back_and_trains(capsys):
    class Mine(Gate):  # under another name, with methods of its own
        def forward(self, x):
            return super().forward(x)

    assert make().check(Mine) is Mine
    assert "✓ Gate: right on all 6 tries" in capsys.readouterr().out


@pytest.mark.parametrize(
    "answer, said",
    [
        (with_parts(shift=lambda d, n: None), r"shift is missing: a parameter of shape \(2,\)"),
        (
            with_parts(shift=lambda d, n: torch.zeros(d)),
            "shift is a plain tensor, expected a param",
        ),
        (
            with_parts(scale=lambda d, n: nn.Parameter(torch.ones(1))),
            "scale is a parameter, expected",
        ),
        (
            with_parts(shift=lambda d, n: nn.Parameter(torch.zeros(d, 1))),
            r"the shape \(2, 1\), exp",
        ),
        (with_parts(more=lambda d, n: nn.Linear(d, d)), "more.weight is one too many"),
        (
            with_parts(inside=lambda d, n: [nn.Linear(d, d) for _ in range(n)]),
            "inside is a plain list: PyTorch does not see",
        ),
    ],
    ids=["missing", "no parameter", "no buffer", "shape", "extra", "list"],
)
def test_what_a_class_holds_is_compared_by_name(answer, said):
    with pytest.raises(NotYet, match=said):
        make().check(answer)


def test_a_model_far_too_large_is_never_built():
    huge = with_parts(inside=lambda d, n: nn.ModuleList([nn.Linear(10**7, 10**7)]))
    assert "inside.0.weight has the shape (10000000, 10000000)" in message(huge, make())


@pytest.mark.parametrize(
    "forward, said",
    [
        (lambda self, x: Gate.forward(self, x.detach()), "gradient of x"),
        (lambda self, x: (Gate.forward(self, x), self.scale.data.add_(1))[0], "called again"),
        (lambda self, x: Gate.forward(self, x)[:1], "for twice the batch"),
        (lambda self, x: Gate.forward(self.eval(), x), "in training mode"),
        (lambda self, x: Gate.forward(self, x) - self.shift + self.shift.detach(), "of shift"),
    ],
    ids=["input cut off", "keeps state", "one image", "always evaluates", "weight cut off"],
)
def test_what_a_class_does_is_compared_in_every_mode(forward, said):
    text = message(changed(forward=forward), make())
    assert any(said in line and "✗" in line for line in text.splitlines()), text


def test_a_known_mistake_is_named():
    assert "You leave the gate open" in message(make().mistakes[0].answer, make())


@pytest.mark.parametrize("spread", [0.01, 0.015, 0.03])
def test_another_spread_than_the_docstrings_is_refused(spread):
    other = with_parts(shift=lambda d, n: nn.Parameter(spread * torch.randn(d)))
    assert "right but for how shift begins" in message(other, make())


def test_a_class_that_asks_a_tensor_for_its_number_is_compared_too():
    def forgets(self, dim, depth):
        init(self, dim, depth, shift=lambda d, n: None)
        self.rates = [x.item() for x in torch.linspace(0, 1, depth)]

    assert "shift is missing" in message(changed(__init__=forgets), make())


def test_a_check_leaves_the_notebooks_draws_alone():
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    make().check(changed())
    assert torch.equal(torch.rand(3), wanted)


def test_how_a_parameter_begins_is_judged_over_seeds(capsys):
    tiny = with_parts(shift=lambda d, n: nn.Parameter(torch.zeros(d)))
    assert "standard deviation 0.02" in message(tiny, make())
    assert "✓" not in capsys.readouterr().out


def test_a_class_that_forgets_super_is_told():
    def init(self, dim, depth):
        self.shift = nn.Parameter(torch.zeros(dim))

    assert "super().__init__()` must be the first" in message(changed(__init__=init), make())


def test_the_stub_shows_docstrings_and_no_bodies(capsys):
    exercise, namespace = make(), {"nn": nn, "torch": torch}
    text = exercise.stub()
    assert "Make the layers." in text and "(B, N, dim) -> (B, N, dim)" in text
    assert "ModuleList" not in text and text.count("raise NotImplementedError") == 2
    exec(text, namespace)
    assert exercise.check(namespace["Gate"]) is Gate
    assert "not done yet" in capsys.readouterr().out


def test_arguments_may_be_taken_by_name():
    class Named(Gate):
        def __init__(self, **sizes):
            super().__init__(**sizes)

    assert make().check(Named) is Named


@pytest.mark.parametrize("answer", [Gate(2, 1), F.gelu, 3, int])
def test_what_is_no_class_of_modules_is_refused(answer):
    assert "takes the class itself" in message(answer, make())


def test_an_error_shows_the_learners_own_line():
    def forward(self, x):
        return x @ x

    assert "return x @ x" in message(changed(forward=forward), make())


def test_a_class_that_raises_is_shown_with_its_line_and_without_all_that_was_expected():
    def broken(self, x):
        return torch.cat([x, self.shift[:, None]], dim=0)

    text = message(changed(forward=broken), make())
    assert "of broken:  return torch.cat" in text and "RuntimeError" in text
    assert "expected  dict" not in text and "is wrong already" not in text


def test_layers_too_many_are_told_in_one_line():
    deep = with_parts(inside=lambda d, n: nn.ModuleList(nn.Linear(d, d) for _ in range(n + 2)))
    text = message(deep, make())
    assert text.count("is one too many, with 2 weights") == 2


class Normed(nn.Module):
    """A linear map whose bias no loss notices, a batch normalization, the maximum over points, of
    which each is there three times."""

    def __init__(self, dim):
        super().__init__()
        self.inside, self.norm = nn.Linear(dim, dim), nn.BatchNorm1d(dim)

    def forward(self, x):
        return self.largest(self.norm(self.inside(x.repeat(1, 3, 1)).mT))

    def largest(self, y):
        return y.amax(-1)


def points(rng):
    for B, N, dim in [(2, 3, 2), (3, 4, 5)]:
        yield dict(
            arguments=dict(dim=dim), x=torch.from_numpy(rng.normal(size=(B, N, dim))).float()
        )


def test_of_a_gradient_that_is_only_rounding_no_digit_is_compared():
    """Of ties `amax` shares the gradient and `max` gives it to one: other sums, other rounding."""
    exercise = ModuleExercise(Normed, level=2, minutes=10, cases=points, hints=("a", "b", "c"))

    class to_one(Normed):
        def largest(self, y):
            return y.max(-1).values

    to_one.__name__ = "Normed"
    assert exercise.check(to_one) is to_one

    class without_bias(Normed):
        def forward(self, x):
            return self.largest(self.norm(F.linear(x.repeat(1, 3, 1), self.inside.weight).mT))

    without_bias.__name__ = "Normed"
    with pytest.raises(NotYet, match="its state afterwards|output in evaluation mode"):
        exercise.check(without_bias)


def test_inputs_of_float64_make_the_whole_module_so_and_only_there():
    """What float32 would refuse for its rounding: x − 1000 + 1000 before the layers."""
    exercise = make()
    exercise.cases = lambda rng: ({**case, "x": case["x"].double()} for case in sizes(rng))
    far = changed(forward=lambda self, x: Gate.forward(self, x - 1000 + 1000))
    assert exercise.check(far) is far
    assert torch.get_default_dtype() == torch.float32
    with pytest.raises(NotYet):
        make().check(far)


@pytest.mark.parametrize(
    "layer, told",
    [
        (
            lambda dim: nn.Bilinear(dim, 1, dim, bias=False),
            "inside.0 is a Bilinear, expected a Linear",
        ),
        (lambda dim: nn.Identity(), "inside.0 is an Identity, expected a Linear"),
        (lambda dim: nn.Linear(dim, dim, bias=False), "inside.0.bias is missing: a parameter"),
        (lambda dim: Own(dim), "inside.0.bias is missing: a parameter"),  # the learner's own name
    ],
)
def test_another_layer_in_its_place_is_called_by_its_name(layer, told):
    def __init__(self, dim, depth):
        Gate.__init__(self, dim, depth)
        self.inside[0] = layer(dim)

    text = message(changed(__init__=__init__), make())
    assert told in text and ("is missing" in text) == ("is missing" in told)


class Own(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim, dim))


class Masked(nn.Module):
    """A sum over those that a mask lets through."""

    def __init__(self, dim):
        super().__init__()
        self.map = nn.Linear(dim, dim)

    def forward(self, x, mask):
        """x (B, N, dim), mask (N, N)  ->  (B, N, dim)"""
        return mask.to(x) @ self.map(x)


def test_an_input_that_a_batch_shares_is_not_doubled_and_matters():
    def masks(rng):
        for N in (2, 3):
            x = torch.from_numpy(rng.normal(size=(2, N, 4)))
            yield dict(arguments=dict(dim=4), x=x, mask=torch.ones(N, N).tril() > 0)

    exercise = ModuleExercise(
        Masked, level=1, minutes=1, cases=masks, hints=("a", "b", "c"), shared=("mask",)
    )
    blind = type("Masked", (Masked,), {"forward": lambda self, x, mask: self.map(x)})
    assert all(trial.right and not trial.outcome.error for trial in exercise.trials(Masked))
    assert not any(trial.right for trial in exercise.trials(blind))
