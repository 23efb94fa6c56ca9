"""The attention explorer: what it refuses, what it embeds, and that the page stands alone."""

import base64
import io
import json
import re
import zlib

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from skimage.transform import resize

from tutorial_lib.notebook.explorer import attention_explorer, entropy_bits

GRID = (3, 4)
N = GRID[0] * GRID[1]


def small_case(heads=2, seed=0):
    rng = np.random.default_rng(seed)
    weights = np.exp(3 * rng.random((heads, N, N)))
    return rng.random((30, 40, 3)), weights / weights.sum(-1, keepdims=True)


def photo_case(side=224, grid=14, temperatures=(1.0, 0.3, 0.1)):
    """A photo and softmax(cosine similarity of its patches / temperature)."""
    photo = resize(skimage.data.chelsea()[:, 75:375], (side, side), anti_aliasing=True)
    p = side // grid
    patches = photo.reshape(grid, p, grid, p, 3).swapaxes(1, 2).reshape(grid * grid, -1)
    patches = patches - patches.mean(0)
    patches /= np.linalg.norm(patches, axis=1, keepdims=True)
    scores = np.stack([patches @ patches.T / t for t in temperatures])
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return photo, weights / weights.sum(-1, keepdims=True)


def embedded(page):
    """The settings object in the page's script."""
    return json.loads(re.search(r"const D = (\{.*\});", page)[1])


def unpack(data):
    """Weights (V, N, N), strongest keys (V, N), entropies (V, N), decoded as the script does."""
    v, n = len(data["names"]), data["grid"][0] * data["grid"][1]
    raw = zlib.decompress(base64.b64decode(data["weights"]))
    peak = np.frombuffer(raw, "<f4", v * n).reshape(v, n, 1)
    best = np.frombuffer(raw, "<u2", v * n, offset=4 * v * n).reshape(v, n)
    bits = np.frombuffer(raw, "<u2", v * n, offset=6 * v * n).reshape(v, n) / 1000
    steps = np.frombuffer(raw, np.uint8, offset=8 * v * n)
    if data["order"] == "key":
        steps = steps.reshape(n, n, v).transpose(2, 0, 1)
    return steps.reshape(v, n, n) / data["levels"] * peak, best, bits


def images(page):
    """Every embedded picture, decoded: [(kind, PIL image)]."""
    found = re.findall(r"data:image/(\w+);base64,([A-Za-z0-9+/=]+)", page)
    return [(kind, Image.open(io.BytesIO(base64.b64decode(text)))) for kind, text in found]


def bad(change):
    """Arguments with one thing wrong."""
    image, weights = small_case()
    arguments = {"image": image, "weights": weights, "grid": GRID}
    return arguments | change(image, weights)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, w: {"image": x.transpose(2, 0, 1)}, r"image has shape \(3, 30, 40\); expected"),
        (lambda x, w: {"image": x[..., 0]}, r"image has shape \(30, 40\)"),
        (lambda x, w: {"image": x * 255}, "expected 0 to 1"),
        (lambda x, w: {"image": x - 0.5}, "expected 0 to 1"),
        (lambda x, w: {"image": x * np.nan}, "expected 0 to 1"),
        (lambda x, w: {"image": (x * 255).astype(int)}, "image has dtype int64; expected uint8"),
        (lambda x, w: {"grid": (3, 0)}, r"grid is \(3, 0\); expected two positive"),
        (lambda x, w: {"grid": 12}, "grid is 12; expected two positive"),
        (lambda x, w: {"grid": (3, 3)}, "12 queries and 12 keys; expected 9 of each"),
        (lambda x, w: {"weights": w[0]}, r"weights has shape \(12, 12\); expected \(V, N, N\)"),
        (lambda x, w: {"weights": w[:0]}, "V >= 1"),
        (lambda x, w: {"weights": w[:, :, 1:]}, "12 queries and 11 keys; .*class token"),
        (lambda x, w: {"weights": w.swapaxes(1, 2)}, r"weights\[0, 0\] sums to .*last axis"),
        (lambda x, w: {"weights": w * 2}, r"weights\[0, 0\] sums to 2; expected 1"),
        (lambda x, w: {"weights": w - 0.1}, r"weights\[0, 0, 0\] is .*; expected 0 or more"),
        (lambda x, w: {"weights": np.where(w < 0.02, np.nan, w)}, "is not finite"),
        (lambda x, w: {"head_names": ["one"]}, "head_names has 1 names; expected 2"),
        (lambda x, w: {"query": (3, 0)}, r"query is \(3, 0\); expected row 0..2"),
    ],
)
def test_a_wrong_argument_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        attention_explorer(**bad(change))


def test_same_input_same_bytes_and_other_input_other_id():
    image, weights = small_case()
    first, again = (attention_explorer(image, weights, GRID).data for _ in range(2))
    other = attention_explorer(image, weights[::-1], GRID).data
    named = attention_explorer(image, weights, GRID, title="another title").data
    assert first == again
    ids = [re.search(r'id="(attention-explorer-\w+)"', page)[1] for page in (first, other, named)]
    assert len(set(ids)) == 3


@pytest.mark.parametrize(
    ("image", "weights", "grid"), [(*small_case(heads=3), GRID), (*photo_case(), (14, 14))]
)
def test_embedded_weights_are_the_input(image, weights, grid):
    data = embedded(attention_explorer(image, weights, grid).data)
    decoded, best, bits = unpack(data)
    error = np.abs(decoded - weights) / weights.max(-1, keepdims=True)
    assert error.max() <= 1 / 127
    np.testing.assert_allclose(decoded.max(-1), weights.max(-1), rtol=1e-6)
    np.testing.assert_array_equal(best, weights.argmax(-1))
    np.testing.assert_allclose(bits, entropy_bits(weights), atol=1e-3)


def test_both_orders_of_storage_are_used():
    # The test above decodes both: independent heads, and variants of one head.
    cases = [(*small_case(heads=3), GRID), (*photo_case(), (14, 14))]
    pages = [attention_explorer(*case).data for case in cases]
    assert [embedded(page)["order"] for page in pages] == ["head", "key"]


def test_entropy_of_known_rows():
    rows = np.array([[0.25] * 4, [0.5, 0.5, 0, 0], [1, 0, 0, 0]])
    np.testing.assert_allclose(entropy_bits(rows), [2, 1, 0])


def test_tensors_of_every_float_type_are_taken():
    image, weights = small_case()
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        tensor = torch.tensor(weights, dtype=dtype, requires_grad=True)
        decoded, _, _ = unpack(embedded(attention_explorer(image, tensor, GRID).data))
        assert np.abs(decoded - weights).max() < 0.01


def test_page_stands_alone():
    page = attention_explorer(*photo_case(), (14, 14)).data
    assert "http" not in page
    assert not re.search(r"<script[^>]*src|<link|@import|url\(", page)
    assert not re.search(r"@[A-Z]+@", page)  # every mark of the template is filled in


def test_static_picture_shows_the_query_and_has_alt_text():
    image, weights = photo_case()
    page = attention_explorer(image, weights, (14, 14), query=(5, 6), head_names=list("abc")).data
    before_script = page[: page.index("<script>")]
    [(kind, picture)] = images(before_script)
    assert kind == "png"
    colors = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    assert (colors == (30, 136, 229)).all(1).any()  # the outline of the query
    alt = re.search(r'<img[^>]*alt="([^"]+)"', before_script)[1]
    best = divmod(int(weights[0, 5 * 14 + 6].argmax()), 14)
    assert "row 5, column 6 (a)" in alt
    assert f"row {best[0]}, column {best[1]}, weight {weights[0, 76].max():.3f}" in alt


def test_photo_is_embedded_at_its_own_aspect():
    image = np.random.default_rng(0).integers(0, 256, (600, 300, 3), dtype=np.uint8)
    page = attention_explorer(image, np.full((1, 2, 2), 0.5), (2, 1)).data
    assert dict(images(page))["jpeg"].size == (140, 280)


def test_text_cannot_break_out_of_the_page():
    evil = '</script><img src="x">"@DATA@'
    page = attention_explorer(*small_case(), GRID, title=evil, caption=evil, head_names=[evil] * 2)
    assert page.data.count("</script>") == 1
    assert page.data.count("<img") == 1
    assert embedded(page.data)["title"] == evil


def test_three_variants_of_196_patches_fit_in_120_kb():
    page = attention_explorer(*photo_case(), (14, 14)).data
    assert len(page.encode()) < 120_000
