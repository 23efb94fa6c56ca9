"""Operators compared between devices: what is the same, what is off, and what cannot run."""

import pytest
import torch

from tutorial_lib.measuring import machine, operators


@pytest.fixture(autouse=True)
def _nothing_remembered():
    operators.first_difference.cache_clear()
    yield
    operators.first_difference.cache_clear()


@pytest.fixture
def other(monkeypatch):
    """Let "meta" be another device, which computes as the CPU does but for the functions in the
    dict that this gives: name of an operator -> what it makes of the result."""
    wrong, answers = {}, operators._answers
    names = {row[0]: name for name, row in operators.OPERATORS.items()}

    def faked(function, inputs, device):
        found = answers(function, inputs, "cpu")
        change = wrong.get(names[function]) if device == "meta" else None
        return change(found) if change else found

    monkeypatch.setattr(operators, "_answers", faked)
    return wrong


def test_the_cpu_computes_what_the_cpu_does():
    assert operators.first_difference("cpu") is None


@pytest.mark.parametrize("name", operators.OPERATORS)
def test_a_wrong_result_and_a_wrong_gradient_are_seen(other, name):
    for part in (0, -1):
        operators.first_difference.cache_clear()
        other[name] = lambda found, part=part: [1.1 * x if x is found[part] else x for x in found]
        assert operators.first_difference("meta").startswith(f"{name} come out otherwise, by 1e-01")


def test_not_a_number_is_a_difference(other):
    other["GELU"] = lambda found: [x * torch.nan for x in found]
    assert "GELU come out otherwise" in operators.first_difference("meta")


def test_what_is_missing_is_told(other):
    def missing(found):
        raise NotImplementedError("The operator 'aten::upsample' is not implemented\nfor MPS")

    other["resizing"] = missing
    found = operators.first_difference("meta")
    assert found == "resizing cannot run there (The operator 'aten::upsample' is not implemented)"


def test_the_doctor_is_told_of_an_apple_gpu(other, monkeypatch):
    first = operators.first_difference
    monkeypatch.setattr(operators, "first_difference", lambda device: first("meta"))
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert machine.gpu()["apple"] and machine.gpu()["error"] == ""
    first.cache_clear()
    other["GELU"] = lambda found: [2 * x for x in found]
    assert machine.gpu()["error"].startswith("GELU come out otherwise")
