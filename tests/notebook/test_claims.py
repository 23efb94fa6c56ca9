"""Claims: what they print, when they stop a notebook, and what quick mode does."""

import numpy as np
import pytest

from tutorial_lib.notebook.claims import MEASURED, ClaimFailed, claim, quick, steps


@pytest.fixture(autouse=True)
def no_quick_mode(monkeypatch):
    monkeypatch.delenv("TUTORIAL_QUICK", raising=False)


def test_a_claim_that_holds_prints_its_figures_on_a_line_of_their_own(capsys):
    claim("a holds", True, accuracy=0.93456, seeds=[1.0, 2.0, 3.0])
    first, second = capsys.readouterr().out.splitlines()
    assert first == "✓ claim: a holds"
    assert second == f"{MEASURED}accuracy 0.935, seeds 2 ± 1 (3 seeds)"


def test_no_line_is_too_long_for_a_narrow_window_and_no_word_is_broken(capsys):
    text = "one well-known word after another " * 5
    claim(text.strip(), True, **{f"figure_{i}": i for i in range(12)})
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 58  # counted in JupyterLab: 900 pixels, file browser open
    said = " ".join(" ".join(lines).split())
    assert said.startswith(f"✓ claim: {text}measured figure 0 0, figure 1 1")


def test_a_claim_about_a_system_names_it_as_survey_toml_does(capsys):
    claim("it works", np.bool_(True), system="vit")
    assert capsys.readouterr().out == "✓ claim [vit]: it works\n"


def test_a_claim_that_does_not_hold_stops_with_its_figures():
    with pytest.raises(ClaimFailed, match=r"a holds\n.*accuracy 0.1, baseline 0.5"):
        claim("a holds", False, accuracy=0.1, baseline=0.5)


@pytest.mark.parametrize("holds", [np.array([True, False]), 1, None, "yes"])
def test_what_is_no_verdict_is_refused(holds):
    with pytest.raises(TypeError, match="True or False"):
        claim("a holds", holds)


def test_quick_mode_cuts_training_and_checks_no_claim_that_depends_on_it(monkeypatch, capsys):
    assert not quick() and steps(500) == 500 and steps(2) == 2
    monkeypatch.setenv("TUTORIAL_QUICK", "1")
    assert quick() and steps(500) == 3 and steps(2) == 2
    claim("it learns", False, trained=True)
    assert "not checked in quick mode" in capsys.readouterr().out
    with pytest.raises(ClaimFailed):
        claim("by construction", False)
