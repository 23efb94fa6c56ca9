"""The turntable: what it refuses, what it embeds, and that the page stands alone."""

import base64
import io
import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

from tutorial_lib.notebook.turntable import MARKED, turntable


def cloud(count=50, seed=0, stretch=(1, 2, 1)):
    return np.random.default_rng(seed).uniform(-1, 1, (count, 3)) * stretch


def embedded(page):
    """The settings object in the page's script."""
    return json.loads(re.search(r"const D = (\{.*\});", page)[1])


def unpack(data, number):
    """Coordinates x, y, z from −1 to 1 and marks of a cloud, decoded as the script does."""
    packed = data["clouds"][number]
    steps = np.frombuffer(base64.b64decode(packed["points"]), np.uint8).reshape(-1, 3)
    right, up, towards = (2 * (steps / data["steps"]) - 1).T
    points = np.stack([right, -towards, up], axis=1)
    if "marks" not in packed:
        return points, None
    bits = np.frombuffer(base64.b64decode(packed["marks"]), np.uint8)
    return points, np.array([bits[i >> 3] >> (i & 7) & 1 for i in range(len(points))], bool)


def pictures(page):
    found = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", page)
    return [Image.open(io.BytesIO(base64.b64decode(text))).convert("RGBA") for text in found]


@pytest.mark.parametrize(
    ("clouds", "marks", "message"),
    [
        ({}, None, "there are no clouds"),
        ({"a": cloud().T}, None, r"'a' has shape \(3, 50\); expected \(N, 3\)"),
        ({"a": cloud()[:0]}, None, r"'a' has shape \(0, 3\)"),
        ({"a": cloud()[None]}, None, r"'a' has shape \(1, 50, 3\)"),
        ({"a": cloud() * np.nan}, None, "'a' has a coordinate that is not finite"),
        ({"a": cloud()}, {"b": np.ones(50, bool)}, "marks are given for 'b'; the clouds are a"),
        ({"a": cloud()}, {"a": np.ones(49, bool)}, r"expected bool \(50,\)"),
        ({"a": cloud()}, {"a": np.arange(50)}, r"are int64 \(50,\); expected bool"),
    ],
)
def test_a_wrong_argument_is_named(clouds, marks, message):
    with pytest.raises(ValueError, match=message):
        turntable(clouds, marks)


def test_embedded_points_are_the_input_at_one_scale():
    tall, small = cloud(), 5 + cloud(31, 1, (0.2, 0.1, 0.1))
    marks = np.arange(31) % 3 == 0
    data = embedded(turntable({"tall": tall, "small": small}, {"small": marks}).data)
    radius = np.linalg.norm(tall - (tall.max(0) + tall.min(0)) / 2, axis=1).max()
    for number, points in enumerate((tall, small)):
        middle = (points.max(0) + points.min(0)) / 2
        found, found_marks = unpack(data, number)
        np.testing.assert_allclose(found, (points - middle) / radius, atol=1.01 / data["steps"])
    np.testing.assert_array_equal(found_marks, marks)
    assert unpack(data, 0)[1] is None


def test_tensors_and_a_single_point_are_taken():
    tensor = torch.tensor(cloud(), dtype=torch.float32, requires_grad=True)
    from_tensor = embedded(turntable({"a": tensor}).data)
    assert from_tensor == embedded(turntable({"a": tensor.detach().numpy()}).data)
    assert len(unpack(embedded(turntable({"a": np.ones((1, 3))}).data), 0)[0]) == 1


def test_same_input_same_bytes_and_other_input_other_id():
    first, again = (turntable({"a": cloud()}).data for _ in range(2))
    other = turntable({"a": cloud(seed=1)}).data
    assert first == again
    ids = [re.search(r'id="(turntable-\w+)"', page)[1] for page in (first, other)]
    assert len(set(ids)) == 2


def test_page_stands_alone_and_is_small():
    page = turntable({"a": cloud(1024)}).data
    assert "http" not in page
    assert not re.search(r"<script[^>]*src|<link|@import|url\(", page)
    assert not re.search(r"@[A-Z]+@", page)  # every mark of the template is filled in
    assert len(page.encode()) < 18_000
    assert len(turntable({name: cloud(512) for name in "abc"}).data.encode()) < 30_000


def test_static_pictures_stand_before_the_script_and_show_the_marks():
    marks = np.arange(50) < 5
    page = turntable({"plain": cloud(), "marked": cloud()}, {"marked": marks}).data
    before_script = page[: page.index("<script>")]
    plain, marked = (np.asarray(p).astype(int) for p in pictures(before_script))
    orange = [
        (np.abs(p[..., :3] - MARKED).sum(-1) < 60) & (p[..., 3] > 128) for p in (plain, marked)
    ]
    assert not orange[0].any() and orange[1].any()
    assert (plain[..., 3] == 0).mean() > 0.5  # its ground is the page's own
    assert 'alt="marked: a cloud of 50 points, 5 of them marked"' in before_script


def test_text_cannot_break_out_of_the_page():
    evil = '</script><img src="x">"@DATA@'
    page = turntable({evil: cloud()}, title=evil, caption=evil).data
    assert page.count("</script>") == 1
    assert page.count("<img") == 1
