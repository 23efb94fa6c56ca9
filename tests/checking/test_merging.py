"""Definitions come into a text; what stands there goes on to mean what it meant."""

import pytest

from tutorial_lib.checking.merging import merged

FILE = '''"""Mine."""

import math
from torch import nn

WIDTH = 2  # of a row


def area(x):
    return WIDTH * x


# Twice the area
def twice(x):
    return 2 * area(x)


if __name__ == "__main__":
    print(twice(1))
'''


def run(text):
    namespace = {"__name__": "mine"}
    exec(text, namespace)
    return namespace


def merge(wanted, own="new", text=FILE, kept=("twice",)):
    return merged(text, wanted, own, set(kept))


def test_new_names_find_their_place_and_the_rest_stays():
    wanted = {
        "annotations": "from __future__ import annotations",
        "np": "import numpy as np",
        "DEPTH": "DEPTH = 3",
        "new": "def new(x):\n    return np.sum(x) * DEPTH",
    }
    text, renamed = merge(wanted)
    assert not renamed and run(text)["new"]([1, 2]) == 9
    assert text.startswith('"""Mine."""\n\nfrom __future__ import annotations\n')
    rest = [line for line in text.split("\n") if line in FILE.split("\n") and line]
    assert rest == [line for line in FILE.split("\n") if line]
    assert merge(wanted, text=text) == (text, {})
    wanted["a"] = "from os import sep as a"
    tidy = [wanted[name] for name in ("annotations", "a", "np", "DEPTH", "new")]
    tidy = "{}\n\n{}\n{}\n\n{}\n\n\ndef old():\n    pass\n\n\n{}\n".format(*tidy)
    wanted["new"] = wanted.pop("new")  # the last
    assert merge(wanted, text="def old():\n    pass\n") == (tidy, {})


def test_what_only_the_answer_uses_is_replaced():
    helper = "def area(x):\n    return 100 * x"
    text, renamed = merge(
        {"area": helper, "twice": "def twice(x):\n    return 3 * area(x)"}, "twice"
    )
    assert not renamed and run(text)["twice"](1) == 300 and "# Twice the area\ndef twice" in text


@pytest.mark.parametrize(
    "wanted, value",
    [
        ({"WIDTH": "WIDTH = 5", "new": "def new(x):\n    return f'{WIDTH}', x * WIDTH"}, ("5", 10)),
        ({"area": "def area(x):\n    return -x", "new": "new = lambda x: area(x) + 1"}, -1),
        ({"math": "import cmath as math", "new": "def new(x):\n    return math.sqrt(-1)"}, 1j),
        ({"nn": "def nn(x):\n    return x", "new": "def new(x):\n    return nn(x)"}, 2),
        (
            {
                "WIDTH": "WIDTH = 7",
                "area": "def area(x):\n    return WIDTH * x",
                "new": "class new(float):\n    def __eq__(s, x):\n        return area(s) == x",
            },
            14,
        ),
    ],
    ids=["constant", "helper", "import", "shadowed import", "helper of a helper"],
)
def test_what_others_use_stays_and_the_new_one_is_renamed(wanted, value):
    text = FILE + "\n\ndef root(x):\n    return math.sqrt(x), nn.ReLU\n"
    text, renamed = merge(wanted, text=text)
    assert renamed == {name: f"{name}_2" for name in wanted if name != "new"}
    found = run(text)
    assert found["new"](2) == value and found["twice"](1) == 4 and found["root"](4)[0] == 2
    assert merge(wanted, text=text) == (text, renamed)


def test_a_helper_that_was_made_better_replaces_both_in_the_end():
    old, new = "def area(x):\n    return 2 * x", "def area(x):\n    return x + x"
    first, second = "def one(x):\n    return area(x)", "def two(x):\n    return area(x) + 1"
    text = f"{old}\n\n\n{first}\n\n\n{second}\n"
    text, renamed = merge({"area": new, "one": first}, "one", text, ["one", "two"])
    assert renamed == {"area": "area_2"} and "2 * x" in text
    text, renamed = merge({"area": new, "two": second}, "two", text, ["one", "two"])
    assert not renamed and "2 * x" not in text
    text, renamed = merge({"area": new, "one": first}, "one", text, ["one", "two"])
    assert not renamed and "area_2(x)" not in text.partition("def one")[2]


def test_comments_layout_and_other_ways_to_import_are_no_difference():
    wanted = {"math": "import math", "nn": "import torch.nn as nn", "WIDTH": "WIDTH = 2"}
    text, renamed = merge(wanted | {"new": "def new():\n    return math, nn, WIDTH"})
    assert not renamed and text.startswith(FILE.rstrip())


def test_what_would_not_run_or_cannot_be_renamed_is_refused():
    late = {"twice": "class twice(Base):\n    pass", "Base": "class Base:\n    pass"}
    with pytest.raises(ValueError, match="twice must stand further up"):
        merge({"area": "area = twice(1)"}, "area", kept=())
    text, _ = merge(dict(reversed(late.items())), "twice")
    assert run(text)["twice"]
    local = "def new(x):\n    def inner(area):\n        return area\n    return inner(x) + area(x)"
    with pytest.raises(ValueError, match="another area"):
        merge({"area": "def area(x):\n    return 0", "new": local})
    with pytest.raises(SyntaxError):
        merge({"new": "new = 1"}, text="def broken(:")
