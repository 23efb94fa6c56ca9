"""The steps of the cyclic shift tell what its mask does."""

import base64
import json
import re

import numpy as np
import pytest

from tutorial_lib.recipes.windows.shift_steps import shift_steps


@pytest.mark.parametrize("side, window, shift", [(8, 4, 2), (6, 3, 1), (10, 5, 3)])
def test_with_the_mask_a_token_hears_its_uneven_window(side, window, shift):
    page = shift_steps(side, window, shift, asked=0).data
    data = json.loads(re.search(r"const D = (\{.*\});", page)[1])
    n = side * side

    def heard(number):
        packed = np.frombuffer(base64.b64decode(data["steps"][number]["heard"]), np.uint8)
        return np.unpackbits(packed, bitorder="little")[: n * n].reshape(n, n).astype(bool)

    letters = np.array(list(data["letters"]))
    whole, uneven, _, without, masked, back = map(heard, range(6))
    np.testing.assert_array_equal(uneven, masked)
    np.testing.assert_array_equal(masked, back)
    np.testing.assert_array_equal(uneven, letters[:, None] == letters)
    assert len(set(letters)) == 9
    assert (without.sum(1) == window**2).all() and (whole.sum(1) == window**2).all()
    assert without[masked].all() and without.sum() > masked.sum()
    assert data["steps"][0]["place"] == list(range(n)) == data["steps"][5]["place"]
    # What was at (shift, shift) stands in the corner of the rolled grid.
    assert data["steps"][3]["place"][shift * side + shift] == 0
