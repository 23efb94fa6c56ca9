"""The ViT that runs in a page: it computes what PyTorch computes, alone and by hand or key."""

import re

import browser
import pytest
import torch

from tutorial_lib.data.fashion_mnist import fashion_mnist
from tutorial_lib.layers.rollout import attention_rollout
from tutorial_lib.recipes.vit import explainer, vit
from tutorial_lib.recipes.vit.data_size import MEAN, STD


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("explainer") / "vit-explainer.html"
    path.write_text(explainer.page(), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def model():
    """The shipped model with its tables in 8 bits, as in the page."""
    return explainer.in_int8(vit.load()[0])


def settled(page):
    """What the page says once it has drawn what was asked for."""
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.inner_text("#verdict strong")


def marked(page):
    return page.get_attribute("#picture", "aria-label")


def test_one_file_without_addresses(file):
    text = file.read_text(encoding="utf-8")
    assert len(text) < 600_000
    assert not re.findall(r"(?:https?:)?//[a-z]+\.|@[A-Z]+@|\burl\(|@import", text)
    assert text == explainer.page()


def test_logits_of_200_pictures_are_those_of_pytorch(file, model):
    images, _ = fashion_mnist("test", 200)
    with torch.no_grad():
        expected = model((images[:, None] - MEAN) / STD)
    run = "pictures => pictures.map(pixels => forward(model, pixels).logits)"
    with browser.page(file) as page:
        logits = torch.tensor(page.evaluate(run, images.flatten(1).tolist()))
    torch.testing.assert_close(logits, expected, rtol=0, atol=2e-5)
    full = vit.load()[0]
    with torch.no_grad():  # and 8 bits change little, but do change something
        change = (expected - full((images[:, None] - MEAN) / STD)).abs().max()
    assert 1e-3 < change < 0.2


def test_attention_and_rollout_are_those_of_pytorch(file, model):
    image = (fashion_mnist("test", 8)[0][7:, None] - MEAN) / STD
    weights = model.weights(image)
    run = """pixels => {
      const { layers } = forward(model, pixels);
      return [layers.map(layer => layer.shares), rollout(layers)];
    }"""
    with browser.page(file) as page:
        shares, rolled = page.evaluate(run, fashion_mnist("test", 8)[0][7].flatten().tolist())
    torch.testing.assert_close(torch.tensor(shares), torch.cat(weights), rtol=0, atol=1e-5)
    expected = attention_rollout(weights)[0]
    torch.testing.assert_close(torch.tensor(rolled), expected, rtol=0, atol=1e-5)


def test_by_keyboard(file):
    with browser.page(file) as page:
        assert settled(page) == "The model sees a pullover."
        page.focus("#picture")
        page.keyboard.press("ArrowDown")
        settled(page)
        assert "row 5, column 3" in marked(page)
        page.keyboard.press("Home")
        settled(page)
        assert "class token" in marked(page)
        assert "no pixels" in page.inner_text("#pixels-of")
        page.focus("#maps input:checked")
        page.keyboard.press("ArrowRight")
        settled(page)
        assert "layer 4, head 3" in page.inner_text("#attention-text")
        page.focus("#gallery button >> nth=27")
        page.keyboard.press("Enter")
        assert settled(page) == "The model sees an ankle boot."
        page.focus("#clear")
        page.keyboard.press("Enter")
        settled(page)
        page.focus("[value=look]")
        page.keyboard.press("ArrowRight")  # the next tool: Draw
        page.focus("#picture")
        page.keyboard.press(" ")
        settled(page)
        assert page.evaluate("shown.pixels.filter(v => v > 0).length") == 9


def test_drawing_changes_the_answer(file):
    with browser.page(file) as page:
        page.click("#clear")
        empty = settled(page)
        page.click(".choice >> text=Draw")
        box = page.locator("#picture").bounding_box()
        for row in range(11, 22, 2):  # a broad bar: what is as wide and as high is a bag
            y = box["y"] + box["height"] * row / 28
            page.mouse.move(box["x"] + 20, y)
            page.mouse.down()
            page.mouse.move(box["x"] + box["width"] - 20, y)
            page.mouse.up()
        drawn = settled(page)
        assert (empty, drawn) == ("The model sees a T-shirt/top.", "The model sees a bag.")
        page.click("#restore")
        page.click("#gallery button >> nth=0")
        settled(page)
        page.click("#tries button >> nth=2")
        settled(page)
        inverted = "shown.pixels.every((v, i) => Math.abs(1 - v - gallery.pictures[0][i]) < 1e-12)"
        assert page.evaluate(inverted)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_fits_a_phone(file, dark):
    with browser.page(file, width=360, height=740, dark=dark) as page:
        settled(page)
        assert browser.too_wide(page) == 0
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (paper == "rgb(255, 255, 255)") != dark
        unnamed = """[...document.querySelectorAll("button, input, canvas[role]")].filter(node =>
          !(node.ariaLabel || node.labels?.[0]?.textContent.trim() || node.textContent.trim()))"""
        assert page.evaluate(f"{unnamed}.map(node => node.outerHTML)") == []


def test_the_shares_that_the_experiments_name(model):
    """Of 500 pictures, as they are and as tries.js changes them."""
    images, labels = fashion_mnist("test", 500)
    patches = images.reshape(-1, 7, 4, 7, 4).transpose(2, 3).reshape(-1, 49, 4, 4)
    shuffled = patches[:, (10 * torch.arange(49) + 3) % 49].reshape(-1, 7, 7, 4, 4)
    changed = {
        89: images,
        32: shuffled.transpose(2, 3).reshape(-1, 28, 28),
        38: torch.nn.functional.pad(images, (4, 0))[..., :28],
        9: 1 - images,
    }
    for percent, pictures in changed.items():
        with torch.no_grad():
            found = model((pictures[:, None] - MEAN) / STD).argmax(-1)
        assert (found == labels).float().mean().item() * 100 == pytest.approx(percent, abs=1)
