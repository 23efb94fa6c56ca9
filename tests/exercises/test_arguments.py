"""Every argument of every function matters on the cases, and every default is used by one.

An answer that puts a constant in the place of an argument must be refused. A gradient that is cut
off or another dtype is not enough: the numbers must tell.
"""

import inspect
from functools import partial

import numpy as np
import pytest
import torch
from exercises.test_exercises import EXERCISES

from tutorial_lib.checking import Exercise

FUNCTIONS = [exercise for exercise in EXERCISES if type(exercise) is Exercise]
ARGUMENTS = [
    (exercise, name)
    for exercise in FUNCTIONS
    for name in inspect.signature(exercise.reference).parameters
]
DEFAULTS = [
    (exercise, parameter.name)
    for exercise in FUNCTIONS
    for parameter in inspect.signature(exercise.reference).parameters.values()
    if parameter.default is not parameter.empty
]

DO_NOT_MATTER = {
    "self_attention.online_attention-block": "the task: any block gives the same result",
    "linear_attention.chunked_attention-chunk": "the task: any chunk gives the same result",
    "transformer.feed_forward_backward-W.b_2": "a shift of the output is in no gradient",
}


def called(pair):
    exercise, argument = pair
    return f"{exercise.slug}.{exercise.name}-{argument}"


def filled(value, number):
    """The arrays in a value, as deep as they lie, filled with a number; all else as it is."""
    if isinstance(value, np.ndarray):
        return np.full_like(value, number)
    if isinstance(value, torch.Tensor):
        return torch.full_like(value, number).requires_grad_(value.requires_grad)
    if isinstance(value, dict):
        return {key: filled(part, number) for key, part in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(filled(part, number) for part in value)
    return value


def holds_arrays(value):
    if isinstance(value, (dict, tuple, list)):
        return any(map(holds_arrays, value.values() if isinstance(value, dict) else value))
    return isinstance(value, (np.ndarray, torch.Tensor))


def constants(exercise, name):
    """(what is held fixed, the constant, a function of the value that gives it): arrays of zeros or
    ones; each of the values that other arguments have on the cases; and the default."""
    values = [case[name] for case in exercise.all_cases() if name in case]
    default = inspect.signature(exercise.reference).parameters[name].default
    if default is not inspect.Parameter.empty:
        yield name, f"its default, {default}", lambda value: default
    for number in (0, 1):
        if any(isinstance(value, dict) for value in values):
            for key in values[0]:
                yield f"{name}.{key}", f"{number}", partial(fill_entry, key=key, number=number)
        elif any(map(holds_arrays, values)):
            yield name, f"{number}", partial(filled, number=number)
    plain = [v for v in values if not holds_arrays(v) and v is not None and v is not default]
    for constant in {repr(value): value for value in plain}.values():
        yield name, f"{constant}", lambda value, constant=constant: constant


def fill_entry(value, key, number):
    return value | {key: filled(value[key], number)}


def with_constant(exercise, name, put):
    """The reference with a constant in the place of one argument."""
    signature = inspect.signature(exercise.reference)

    def answer(*args):
        bound = signature.bind(*args)
        bound.apply_defaults()
        bound.arguments[name] = put(bound.arguments[name])
        return exercise.reference(*bound.args)

    return answer


def refused(exercise, answer):
    for case in exercise.all_cases():
        for trial in exercise.tries(answer, [case]):
            kinds = {difference.kind for difference in trial.differences}
            if trial.outcome.error or kinds - {"graph", "dtype", "shared"}:
                return True
    return False


@pytest.mark.parametrize("pair", ARGUMENTS, ids=called)
def test_an_answer_with_a_constant_for_an_argument_is_refused(pair):
    exercise, name = pair
    for place, constant, put in constants(exercise, name):
        if called((exercise, place)) not in DO_NOT_MATTER:
            answer = with_constant(exercise, name, put)
            assert refused(exercise, answer), f"nobody notices if {place} is always {constant}"


@pytest.mark.parametrize("pair", DEFAULTS, ids=called)
def test_a_default_is_used_by_a_case(pair):
    exercise, name = pair
    assert any(name not in case for case in exercise.all_cases())


@pytest.mark.parametrize("exercise", FUNCTIONS, ids=lambda e: f"{e.slug}.{e.name}")
def test_a_known_mistake_has_the_form_of_an_answer(exercise):
    """The task's defaults, or it would raise where a learner's answer with the same mistake gives
    numbers; and no results beyond those asked for, which a learner's answer would not have."""
    for mistake in exercise.mistakes:
        wanted, given = (inspect.signature(f) for f in (exercise.reference, mistake.answer))
        assert [p.default for p in given.parameters.values()] == [
            p.default for p in wanted.parameters.values()
        ], mistake.name
        trial = exercise.tries(mistake.function, exercise.all_cases()[:1])[0]
        if isinstance(trial.expected, dict) and isinstance(trial.outcome.value, dict):
            assert set(trial.outcome.value) <= set(trial.expected), mistake.name


def sizes(value):
    """Every whole number and every axis of every array in a value."""
    if isinstance(value, (dict, tuple, list)):
        parts = value.values() if isinstance(value, dict) else value
        return [size for part in parts for size in sizes(part)]
    return [value] if type(value) is int else list(getattr(value, "shape", ()))


@pytest.mark.parametrize("exercise", FUNCTIONS, ids=lambda e: f"{e.slug}.{e.name}")
def test_the_first_case_tells_something(exercise):
    """It is the one that is shown: with all sizes one, most mistakes do nothing."""
    assert max(sizes(exercise.all_cases()[0]), default=2) > 1  # of words alone there is no size
