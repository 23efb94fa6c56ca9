"""A later chapter goes on with the learner's own, or with the course's: one sentence says which."""

import pickle
import random
import sys

import numpy as np
import pytest
import torch
from checking_helpers import centre, make

from tutorial_lib.checking import attempts, yours
from tutorial_lib.exercises import vit

RIGHT = "def centre(x):\n    return x - x.mean(axis=-1, keepdims=True)\n"
COURSES = "centre: the course's own"


@pytest.fixture
def exercise():
    made = make()
    made.slug = "small"
    return made


@pytest.fixture
def put(tmp_path, monkeypatch):
    """Writes the learner's file of a chapter, in a copy of the course that we stand in."""
    work = tmp_path / "work"
    (work / "mine").mkdir(parents=True)
    (work / attempts.MANIFEST).write_text("{}", encoding="utf-8")
    monkeypatch.chdir(work)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write(text, slug="small"):
        (work / f"04_{slug}.ipynb").write_text("{}", encoding="utf-8")
        path = work / "mine" / f"04_{slug}.py"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        written.append(path.stem)

    written = []
    yield write
    for name in written:
        sys.modules.pop(name, None)


def test_what_passes_is_taken_and_nothing_else_happens(put, exercise, capsys):
    seeds = "import random, torch, numpy as np\nfor m in (random, np.random):\n    m.seed(1)\n"
    put(seeds + "torch.manual_seed(1)\nnp.seterr(all='raise')\nprint('read')\n" + RIGHT)
    before = np.random.get_state()[1].tolist(), random.getstate(), torch.get_rng_state().tolist()
    answer = yours.yours(exercise)
    assert answer(np.array([1.0, 3.0])).tolist() == [-1, 1]
    assert capsys.readouterr().out == "centre: yours, from work/mine/04_small.py\n"
    after = np.random.get_state()[1].tolist(), random.getstate(), torch.get_rng_state().tolist()
    assert after == before and np.geterr()["over"] == "warn"
    assert attempts.load().exercises == {} and attempts.recording
    assert yours.yours(exercise) is answer


@pytest.mark.parametrize(
    "text, why",
    [
        ("def centre(:", "stops with SyntaxError: invalid syntax"),
        (RIGHT + "\0", "stops with SyntaxError"),
        (RIGHT.encode() + b"\xff", "stops with SyntaxError"),
        (RIGHT + "import no_such\n", "stops with ModuleNotFoundError: No module named 'no_such'"),
        (RIGHT + "raise SystemExit(0)\n", "stops with SystemExit: 0"),
        ("class Odd(BaseException): pass\nraise Odd\n", "stops with Odd"),
        (RIGHT + "while True: pass\n", "gives no answer within 0.2 s"),
        (
            "def centre(x):\n    while True: pass\n",
            "does not pass its check: Your function gave no",
        ),
        ("def centre(x):\n    return x\n", "does not pass its check: Each row is right but for a"),
        ("def centre(x, y):\n    return x\n", "does not pass its check: another list of arguments"),
        ("centre = 3\n", "does not pass its check: check takes the function itself"),
        ("def centre(x):\n    raise NotImplementedError\n", "is still to be written"),
        ("x = 1\n", "is still to be written"),
    ],
)
def test_what_does_not_pass_stops_nothing_and_is_told(
    put, exercise, capsys, monkeypatch, text, why
):
    monkeypatch.setattr(yours, "READ_IN", 0.2)
    put(text)
    assert yours.yours(exercise) is centre
    said = capsys.readouterr().out
    assert said.startswith(f"{COURSES}; yours in work/mine/04_small.py {why}"), said
    assert said.count("\n") == 1 and not attempts.load().exercises and attempts.recording


def test_without_a_file_or_a_learners_copy_the_sentence_is_one_and_the_same(
    put, exercise, capsys, monkeypatch, tmp_path
):
    yours.yours(exercise)
    monkeypatch.chdir(tmp_path)
    assert yours.yours(exercise) is centre
    assert capsys.readouterr().out == f"{COURSES}, until yours has passed its check\n" * 2


def test_what_is_no_exercise_is_an_error_that_says_what_there_is():
    with pytest.raises(AttributeError, match="has no VisionTransfomer; it has patchify, "):
        yours.yours(vit.VisionTransfomer)
    with pytest.raises(TypeError, match="expected an exercise, .*, got <.*FromNothing"):
        yours.yours(vit.vit_from_nothing)


def test_a_module_is_trained_saved_and_loaded_and_may_use_other_files(put):
    put("from torch import nn\n\n\nclass Parts(nn.Module):\n    pass\n", "parts")
    source = vit.VisionTransformer.source().replace("(nn.Module)", "(Parts)")
    imports = "Parts = __import__('04_parts').Parts\nimport torch\nfrom torch import nn\n"
    for name in ("patches", "positions", "transformer"):
        imports += f"from tutorial_lib.layers.{name} import *\n"
    put(imports + source, "vit")
    model = yours.yours(vit.VisionTransformer)(4, 2, 1, 3, dim=4, depth=1, heads=1, hidden=4)
    assert type(model) is not vit.VisionTransformer.reference
    model(torch.zeros(1, 1, 4, 4)).sum().backward()
    model.head.bias.data -= model.head.bias.grad
    again = pickle.loads(pickle.dumps(model))
    assert torch.equal(again.head.bias, model.head.bias)
