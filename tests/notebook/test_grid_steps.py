"""Steps of a grid: what they refuse, what they embed, and that the page stands alone."""

import base64
import json
import re

import numpy as np
import pytest

from tutorial_lib.notebook.grid_steps import Step, grid_steps

SIDE, N = 3, 9
RNG = np.random.default_rng(0)


def step(**changes):
    given = dict(
        text="a < b",
        place=RNG.permutation(N),
        windows=[(0, 1, 3, 2)],
        heard=RNG.random((N, N)) < 0.5,
    )
    return Step(**(given | changes))


@pytest.mark.parametrize(
    ("side", "groups", "steps", "asked", "message"),
    [
        (13, np.zeros(169, int), [step()], 0, "side is 13; expected 1 to 12"),
        (SIDE, np.zeros(8, int), [step()], 0, r"groups are \(8,\); expected \(9,\)"),
        (SIDE, np.full(N, 9), [step()], 0, "numbers from 0 to 8"),
        (SIDE, np.zeros(N, int), [], 0, "there are no steps"),
        (SIDE, np.zeros(N, int), [step(), step(place=np.zeros(N, int))], 0, "place of step 2"),
        (SIDE, np.zeros(N, int), [step(heard=np.ones((N, 8), bool))], 0, "heard of step 1"),
        (SIDE, np.zeros(N, int), [step(heard=np.ones((N, N)))], 0, "expected bool"),
        (SIDE, np.zeros(N, int), [step()], 9, "asked is 9; expected a token, 0 to 8"),
    ],
)
def test_a_wrong_argument_is_named(side, groups, steps, asked, message):
    with pytest.raises(ValueError, match=message):
        grid_steps(side, groups, steps, asked=asked)


def test_what_is_embedded_is_what_was_given():
    given, groups = [step(), step()], RNG.integers(9, size=N)
    page = grid_steps(SIDE, groups, given, asked=4).data
    data = json.loads(re.search(r"const D = (\{.*\});", page)[1])
    assert data["asked"] == 4 and data["letters"] == "".join("ABCDEFGHI"[g] for g in groups)
    for told, wanted in zip(data["steps"], given, strict=True):
        bits = np.frombuffer(base64.b64decode(told["heard"]), np.uint8)
        heard = [bits[i >> 3] >> (i & 7) & 1 for i in range(N * N)]  # as the script reads them
        np.testing.assert_array_equal(np.reshape(heard, (N, N)), wanted.heard)
        assert told["place"] == list(wanted.place) and told["windows"] == [[0, 1, 3, 2]]


def test_the_page_stands_alone_and_is_the_same_each_time():
    given, groups = [step()], np.arange(N)
    page = grid_steps(SIDE, groups, given, title="<b>").data
    assert page == grid_steps(SIDE, groups, given, title="<b>").data
    assert "&lt;b&gt;" in page and "a < b" not in page and "@" not in re.sub("@media", "", page)
    assert not re.search(r"(src|href)=\"(?!data:)", page) and len(page) < 12_000
    assert page.count("data:image/png;base64,") == 1 and 'alt="A grid of 3 by 3' in page
