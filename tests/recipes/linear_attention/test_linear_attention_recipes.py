"""The recipes of chapter 38: pictures as words, the checkpoint, the far copy."""

import math
from collections import Counter

import numpy as np
import pytest
import torch

from tutorial_lib.data.fashion_mnist import fashion_mnist
from tutorial_lib.models.efficient.pixels import PixelModel
from tutorial_lib.recipes.linear_attention import against_softmax, far_copy, pictures, pixels


def test_a_picture_is_a_quarter_of_its_pixels_in_16_levels():
    found, (images, _) = pictures.pictures("test", 3), fashion_mnist("test", 3)
    assert found.shape == (3, 196) and found.dtype == torch.int64
    expected = images[1, 4:6, 10:12].mean() * 16  # row 2, column 5
    assert found[1, 2 * 14 + 5] == min(15, int(expected))
    assert pictures.pictures("test", 100).max() == 15


def test_bits_of_one_that_knows_nothing_and_of_one_that_knows_all():
    class Knows(torch.nn.Module):
        """Bound to say the levels of a picture that it was given."""

        def __init__(self, answer, sure):
            super().__init__()
            self.logits = sure * torch.nn.functional.one_hot(answer, 16).float()

        def forward(self, before):
            return self.logits.expand(len(before), -1, -1)

    answer = pictures.pictures("test", 1)
    assert pictures.bits_per_pixel(Knows(answer, 0.0), answer) == pytest.approx(4)
    assert pictures.bits_per_pixel(Knows(answer, 50.0), answer) == pytest.approx(0, abs=1e-6)


def test_bits_of_neighbours_by_counting(monkeypatch):
    monkeypatch.setattr(pictures, "SIDE", 3)
    generator = torch.Generator().manual_seed(0)
    learnt, unseen = (torch.randint(16, (n, 9), generator=generator) for n in (40, 6))
    learnt[:, 4] = learnt[:, 1]  # the middle repeats what stands above it

    def level(picture, row, column):
        return picture[3 * row + column].item() if row >= 0 and column >= 0 else 16

    for count in (1, 2, 3):
        where = ((0, -1), (-1, 0), (-1, -1))[:count]
        seen, common = Counter(), Counter()
        places = [divmod(i, 3) for i in range(9)]

        def context(x, r, c, where=where):
            return tuple(level(x, r + i, c + j) for i, j in where)

        for x in learnt:
            for r, c in places:
                seen[context(x, r, c), level(x, r, c)] += 1
                seen[context(x, r, c)] += 1
                common[level(x, r, c)] += 1
        bits = 0.0
        for x in unseen:
            for r, c in places:
                anywhere = (common[level(x, r, c)] + 1) / (360 + 16)
                found = seen[context(x, r, c), level(x, r, c)] + 4 * anywhere
                bits -= math.log2(found / (seen[context(x, r, c)] + 4))
        assert pictures.bits_of_neighbours(learnt, unseen, count) == pytest.approx(bits / 54)


def test_bits_of_places_by_counting():
    learnt, unseen = torch.tensor([[0, 3], [0, 4], [1, 3]]), torch.tensor([[0, 4]])
    expected = -(math.log2(3 / 19) + math.log2(2 / 19)) / 2  # one more of each of 16 levels
    assert pictures.bits_of_places(learnt, unseen) == pytest.approx(expected)


def test_the_recipe_writes_a_checkpoint_that_loads(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(pixels, "pictures", lambda split, count=None: pictures.pictures(split, 4))
    file = tmp_path / "new" / "pixels.safetensors"
    pixels.main(["--steps", "2", "--count", "4", "--seed", "5", "--out", str(file)])
    assert file.stat().st_size < 2**20 and str(file) in capsys.readouterr().out
    model, record = pixels.load(file)
    assert (record["steps"], record["count"], record["seed"]) == ("2", "4", "5")
    found = pictures.bits_per_pixel(model, pictures.pictures("test", 4))
    assert float(record["bits_per_pixel"]) == pytest.approx(found, abs=1e-3)


def test_the_checkpoint_of_the_course_does_as_well_as_it_says():
    model, record = pixels.load()
    found = pictures.bits_per_pixel(model, pictures.pictures("test", 100))
    assert found == pytest.approx(float(record["bits_per_pixel"]), abs=0.15)
    assert pixels.SHIPPED.stat().st_size < 2**20 and isinstance(model, PixelModel)


def test_both_attentions_have_the_same_parameters():
    counts = {
        sum(p.numel() for p in PixelModel(**against_softmax.SIZE, attention=a).parameters())
        for a in against_softmax.ATTENTIONS.values()
    }
    assert len(counts) == 1


def test_one_word_is_marked_and_wanted_everywhere():
    words, marks, wanted = far_copy.draw(torch.Generator().manual_seed(0), 5)
    assert (marks.sum(1) == 1).all()
    for row, mark, want in zip(words, marks, wanted):
        assert (want == row[mark.argmax()]).all()


def test_what_the_graph_foretells():
    window = far_copy.mask_of("window")
    reach = (
        sum(abs(i - j) <= 2 for i, j in np.ndindex(32, 32)) / 32**2
    )  # two layers, one block each
    assert far_copy.foretold(window, 2) == pytest.approx(reach + (1 - reach) / 8)
    assert far_copy.foretold(far_copy.mask_of("window + global"), 2) == 1
    assert far_copy.mask_of("window + random", 1).sum() > window.sum()


def test_where_no_way_leads_the_reader_cannot_know():
    """Another marked word, out of reach of two layers, changes nothing."""
    torch.manual_seed(0)
    model = far_copy.Reader(far_copy.mask_of("window"), 2).eval()
    words, marks, _ = far_copy.draw(torch.Generator().manual_seed(0), 1)
    marks = torch.zeros_like(marks)
    marks[0, 0] = 1
    other = words.clone()
    other[0, 0] = (words[0, 0] + 1) % 8
    same = (model(words, marks) - model(other, marks)).abs().amax(-1)[0] < 1e-6
    assert same[6:].all() and not same[:6].any()  # blocks 0 to 2 hear of block 0


def test_a_row_of_the_record(monkeypatch):
    monkeypatch.setattr(far_copy, "STEPS", 1)
    draw = far_copy.draw  # fewer sequences to test with than 1,000
    monkeypatch.setattr(far_copy, "draw", lambda g, count=8: draw(g, min(count, 99)))
    row = far_copy.measure(dict(pattern="window + global", layers=2, seed=0))
    assert row["foretold"] == 1 and 0 < row["accuracy"] < 0.5 and 0 < row["untrained"] < 0.3
