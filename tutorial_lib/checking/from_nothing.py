"""The exercise at a chapter's end: a goal, an empty cell, no signature. What it does is judged.

vit_from_nothing = FromNothing(solution, minutes=40, shapes=..., parameters=(50_000, 300_000),
                               properties={...}, accuracy=held_out_accuracy, wanted=0.8)

model = exercise.vit_from_nothing.check(model)   # under whatever the learner built

The check takes a function as well that builds and trains the model: in an editor that is what is
written, and in a notebook it is what can be kept whole.
"""

import ast
import inspect
import os
import textwrap
from collections.abc import Callable

import torch
from torch import nn

from tutorial_lib.checking import attempts, mine
from tutorial_lib.checking.exercise import NotYet, calling_chapter
from tutorial_lib.checking.running import own_lines, within

TRAINING = 300  # seconds that a function may take to build and train


class FromNothing:
    """Judges a trained module by shapes, size, properties and an accuracy on data of its own.

    solution    a function without arguments that builds and trains one: its docstring is the goal,
                its body is what the solved notebook shows, and its last line returns the model
    shapes      (a batch that goes in, the shape that must come out)
    parameters  (fewest, most) that the model may have
    properties  a sentence that must be true of the model -> a function of the model that tells
    accuracy    a function of the model: its accuracy on data that the cell does not see
    wanted      the least accuracy that passes; not judged in quick mode
    measure     what the accuracy is called behind its number
    minutes     what a learner should plan
    """

    def __init__(
        self,
        solution: Callable[[], nn.Module],
        *,
        shapes: tuple[torch.Tensor, tuple],
        parameters: tuple[int, int],
        accuracy: Callable[[nn.Module], float],
        wanted: float,
        minutes: int,
        properties: dict[str, Callable[[nn.Module], bool]] | None = None,
        measure: str = "right",
    ):
        self.solution, self.shapes, self.parameters = solution, shapes, parameters
        self.accuracy, self.wanted, self.minutes = accuracy, wanted, minutes
        self.properties, self.measure = properties or {}, measure
        self.name = solution.__name__
        self.slug = calling_chapter()

    @property
    def goal(self) -> str:
        return inspect.getdoc(self.solution)

    @property
    def reference(self) -> Callable[[], nn.Module]:
        return self.solution

    def source(self) -> str:
        """One short solution, as the solved notebook shows it: the body, and `model` at its end."""
        lines = textwrap.dedent(inspect.getsource(self.solution)).splitlines()
        *body, last = ast.parse("\n".join(lines)).body[0].body[1:]
        rows = lines[body[0].lineno - 1 : last.lineno - 1]
        return textwrap.dedent("\n".join(rows)) + f"\n\nmodel = {ast.unparse(last.value)}"

    def stub(self) -> str:
        """Where a learner starts in an editor."""
        goal = textwrap.indent(f'"""{self.goal}\n\nReturn the trained model.\n"""', "    ")
        return f"def {self.name}():\n{goal}\n    raise NotImplementedError  # your turn"

    def check(self, built: nn.Module | Callable[[], nn.Module] | None):
        """Say what was reached; returns the model, None where it is not begun.

        built  the trained model, or a function without arguments that builds and trains it

        Raises NotYet, with the figures that were seen, for a model that falls short.
        """
        model = self._made_by(built) if inspect.isfunction(built) else built
        if model is None:
            print(f"○ {self.name}: not begun")
            return None
        if not isinstance(model, nn.Module):
            raise NotYet(f"✗ {self.name}: expected an nn.Module, got {type(model).__name__}")
        was_training = model.training
        try:
            rows = list(self._judge(model.eval()))
        finally:
            model.train(was_training)
        passed = all(good for good, _ in rows)
        text = "\n".join(f"  {'✓' if good else '✗'} {row}" for good, row in rows)
        if not passed:
            self._record(False)
            raise NotYet(f"✗ {self.name}: not yet\n{text}")
        if _quick():
            print(f"– {self.name}: the accuracy is not judged in quick mode\n{text}")
            return model
        self._record(True)
        print(f"✓ {self.name}: built from nothing\n{text}")
        if model is built:
            mine.keep_model(self.slug, self.name, model)
        else:
            mine.keep(self.slug, self.name, built)
        return model

    def _made_by(self, build):
        """What a function gives; None for one that is still empty."""
        try:
            model = within(TRAINING, build)
        except (Exception, SystemExit) as error:
            if isinstance(error, NotImplementedError) and not error.args:
                return None
            raise NotYet(f"✗ {self.name}: stops with {_words(error)}") from None
        if model is None:
            raise NotYet(f"✗ {self.name}: gave None. Does it end with `return`?")
        return model

    @torch.no_grad()
    def _judge(self, model):
        """(good, what was seen) for each thing that is judged, up to the first that stops it."""
        count = sum(p.numel() for p in model.parameters())
        fewest, most = self.parameters
        yield fewest <= count <= most, f"{count:,} parameters, of {fewest:,} to {most:,}"
        batch, wanted = self.shapes
        out, told = _tried(10, model, batch)
        if told:
            yield False, f"{tuple(batch.shape)} goes in: {told}"
            return
        shape = tuple(getattr(out, "shape", ()))
        yield shape == wanted, f"{tuple(batch.shape)} goes in, {shape} comes out, of {wanted}"
        if shape != wanted:
            return
        for sentence, holds in self.properties.items():
            good, told = _tried(10, holds, model)
            yield bool(good) and not told, f"{sentence}: {told}" if told else sentence
        if not _quick():
            reached, told = _tried(60, self.accuracy, model)
            figure = told or f"{reached:.1%} {self.measure}, of {self.wanted:.0%}"
            yield not told and reached >= self.wanted, f"on unseen data: {figure}"

    def _record(self, passed: bool) -> None:
        attempts.record(f"{self.slug}.{self.name}", passed)


def _tried(seconds, function, *arguments):
    """(what a function gives, "") or (None, what it raised, with the learner's own lines)."""
    try:
        return within(seconds, function, *arguments), ""
    except (Exception, SystemExit) as error:
        return None, _words(error)


def _words(error) -> str:
    lines = textwrap.indent(own_lines(error), "      ")
    return f"{type(error).__name__}: {error}\n{lines}".rstrip()


def _quick() -> bool:
    return os.environ.get("TUTORIAL_QUICK", "") not in ("", "0")
