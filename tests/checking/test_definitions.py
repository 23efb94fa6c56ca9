"""An answer's source with all that it uses, from wherever in a notebook it is defined."""

import linecache
import sys
import types

import pytest
from checking_helpers import rows

from tutorial_lib.checking.definitions import definitions, imports_of

CELLS = [
    "import numpy as np\nfrom functools import lru_cache, partial\nfrom torch import exp, nn",
    "half = 1 / np.sqrt(4)\nlarge = float('inf')\nsquare = lambda x: x * x",
    "norm = partial(np.round, decimals=1)\n%matplotlib is no Python",
    "norm = partial(np.round, decimals=1)",
    "from dataclasses import dataclass\n\n\n@dataclass\nclass Size:\n    dim: int = 3",
    "def even(n):\n    return n == 0 or odd(n - 1)",
    "def odd(n):\n    return n > 0 and even(n - 1)",
    "@lru_cache\ndef slow(x):\n    'A helper.'\n    return square(x)\n\n\nsame = slow",
    "sum = lambda values: 7  # noqa",
]


@pytest.fixture
def notebook(monkeypatch):
    """Runs a cell after those above, as IPython does, and gives all that is defined then."""
    main = types.ModuleType("__main__")
    main.In = []
    monkeypatch.setitem(sys.modules, "__main__", main)

    def run(source):
        file = f"<{len(main.In)} of notebook>"
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        main.In.append(source)
        exec(compile(source, file, "exec"), vars(main))
        return vars(main)

    for source in CELLS:
        run(source) if "%" not in source else main.In.append(source)
    return run


def alone(name, answer):
    """What the definitions give without anything else."""
    namespace = {"__name__": "alone"}
    text = "\n".join(definitions(name, answer).values())
    exec(compile(text, "<alone>", "exec"), namespace)
    return namespace[name]


@pytest.mark.parametrize(
    "source, wanted",
    [
        ("def answer(x):\n    return norm(x * half)", 1.2),
        ("def answer(x):\n    return min(large, square(x))", 6.25),
        ("def answer(x):\n    return Size().dim * x", 7.5),
        ("def answer(x):\n    return even(4) + same(x)", 7.25),
        ("def answer(x):\n    return sum([x, x])", 7),
        ("def answer(x):\n    half = 2\n    return half * x", 5),
        ("def mine(x):\n    return 2 * x\n\n\nanswer = mine", 5),
        ("answer = lambda x: square(x)", 6.25),
        ("answer = partial(norm, decimals=0)", 2),
        ("answer = np.floor", 2),
        ("@nn.init.torch.no_grad()\ndef answer(x):\n    return square(x)", 6.25),
        ("class answer(float):\n    def __eq__(self, x):\n        return square(self) == x", 6.25),
        ("def answer(x) -> 'Unknown':\n    return float(exp(nn.Identity()(x * zero)))", 1),
    ],
)
def test_an_answer_and_what_it_uses_run_alone(notebook, source, wanted):
    found = notebook("zero = __import__('torch').zeros(())\n" + source)
    assert found["answer"](2.5) == wanted
    assert alone("answer", found["answer"])(2.5) == wanted


def test_only_what_is_global_comes_along_and_a_check_is_no_definition(notebook):
    source = "def answer(half):\n    return half\n\n\nanswer = exercise.check(answer)"
    notebook("exercise = type('E', (), {'check': staticmethod(lambda f: f)})")
    assert list(definitions("answer", notebook(source)["answer"])) == ["answer"]
    lines = definitions("use", notebook("def use():\n    return nn, exp, np")["use"])
    assert [lines[name] for name in ("exp", "nn", "np")] == [
        "from torch import exp",
        "from torch import nn",
        "import numpy as np",
    ]


def test_annotations_of_the_future_stay_unread(notebook):
    source = "from __future__ import annotations\n\n\ndef answer(x: Unknown):\n    return x"
    assert alone("answer", notebook(source)["answer"])(3) == 3


@pytest.mark.parametrize(
    "source, said",
    [
        ("def make():\n    return lambda x: x\n\n\nanswer, two = make(), 2", "answer, a function"),
        ("a, table = 1, object()\n\n\ndef answer(x):\n    return table", "table, a object"),
    ],
)
def test_what_is_defined_nowhere_is_told(notebook, source, said):
    with pytest.raises(ValueError, match=said):
        definitions("answer", notebook(source)["answer"])


def test_the_courses_own_and_the_learners_other_files_are_imported(notebook, monkeypatch):
    from tutorial_lib.exercises import vit

    found = notebook("def answer():\n    return Model, older, patchify")
    other = types.ModuleType("01_first")
    exec("def older(x):\n    return x", vars(other))
    monkeypatch.setitem(sys.modules, "01_first", other)
    found |= dict(Model=vit.VisionTransformer.reference, older=other.older)
    found |= dict(patchify=vit.patchify.reference)
    assert alone("answer", found["answer"])() == (
        vit.VisionTransformer.reference,
        other.older,
        vit.patchify.reference,
    )


def test_a_task_comes_with_the_imports_of_its_module():
    assert imports_of(rows) == ["import numpy as np"]
