"""Handwritten digits, their split, and numbers made of them."""

import pytest
import torch

from tutorial_lib.data.digits import (
    BEGIN,
    END,
    HEIGHT,
    MAX_DIGITS,
    MIN_DIGITS,
    PAD,
    SIDE,
    TARGET_LENGTH,
    VOCABULARY,
    WIDTH,
    digits,
    numbers,
)

COUNT = 200


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def draw(seed=0, count=COUNT):
    return numbers(*digits("train"), count, generator(seed))


def test_the_whole_set():
    images, labels = digits()
    assert images.shape == (1797, SIDE, SIDE) and images.dtype == torch.float32
    assert labels.shape == (1797,) and labels.dtype == torch.int64
    assert images.min() == 0 and images.max() == 1
    assert labels.unique().tolist() == list(range(10))


def test_the_split_leaves_nothing_out_and_shares_nothing():
    (images, labels), (train, train_labels), (test, test_labels) = map(
        digits, ("all", "train", "test")
    )
    torch.testing.assert_close(torch.cat([train, test]), images)
    torch.testing.assert_close(torch.cat([train_labels, test_labels]), labels)
    nearest = torch.cdist(test.flatten(1), train.flatten(1)).min(dim=1).values
    assert nearest.min() > 0, "no picture is in both parts"
    for part in (train_labels, test_labels):
        share = part.bincount(minlength=10) / len(part)
        assert share.min() > 0.08, "every digit is in both parts, about as often"


def test_the_split_falls_where_a_form_begins():
    assert digits("test")[1][:30].tolist() == list(range(10)) * 3
    assert digits("train")[1][:30].tolist() == list(range(10)) * 3


def test_an_unknown_part_is_refused():
    with pytest.raises(ValueError, match="train, test, all, got 'valid'"):
        digits("valid")


def test_labels_match_images():
    """A digit looks like the mean of its class more often than not."""
    images, labels = digits("train")
    means = torch.stack([images[labels == i].mean(dim=0) for i in range(10)]).flatten(1)
    images, labels = digits("test")
    guess = torch.cdist(images.flatten(1), means).argmin(dim=1)
    assert (guess == labels).float().mean() > 0.8


def test_shapes_and_ids_of_numbers():
    canvas, targets, left = draw()
    assert canvas.shape == (COUNT, HEIGHT, WIDTH) and canvas.dtype == torch.float32
    assert targets.shape == (COUNT, TARGET_LENGTH) and targets.dtype == torch.int64
    assert left.shape == (COUNT, MAX_DIGITS) and left.dtype == torch.int64
    assert canvas.min() == 0 and canvas.max() == 1, "digits do not overlap"
    assert {BEGIN, END, PAD} == set(range(10, VOCABULARY))


def test_a_target_is_begin_digits_end_padding():
    _, targets, left = draw()
    lengths = set()
    for target, places in zip(targets.tolist(), left.tolist()):
        end = target.index(END)
        assert target[0] == BEGIN
        assert all(0 <= word <= 9 for word in target[1:end])
        assert target[end + 1 :] == [PAD] * (TARGET_LENGTH - end - 1)
        assert [x >= 0 for x in places] == [i < end - 1 for i in range(MAX_DIGITS)]
        lengths.add(end - 1)
    assert lengths == set(range(MIN_DIGITS, MAX_DIGITS + 1))


def test_every_digit_of_a_number_is_where_and_what_the_target_says():
    """Each number, its digits cut out by `left`, is put together again from the set."""
    images, labels = digits("train")
    canvas, targets, left = draw(count=20)
    for picture, target, places in zip(canvas, targets, left):
        rest = picture.clone()
        for word, x in zip(target[1:], places[places >= 0]):
            window = rest[:, x : x + SIDE].unfold(0, SIDE, 1).mT  # (rows, SIDE, SIDE)
            same = (window[:, None] == images[labels == word]).all(dim=(2, 3))  # (rows, n)
            top = same.any(dim=1).nonzero()
            assert len(top), f"no {word} begins in column {x}"
            rest[top[0] : top[0] + SIDE, x : x + SIDE] = 0
        assert rest.abs().max() == 0, "nothing else is on the canvas"


def test_gaps_heights_and_places_vary():
    canvas, targets, left = draw()
    gaps = (left[:, 1] - left[:, 0] - SIDE).unique()
    assert gaps.min() == 0 and len(gaps) > 8
    assert left[:, 0].min() == 0 and len(left[:, 0].unique()) > 8
    assert left.max() == WIDTH - SIDE
    last = left.max(dim=1).values
    assert (last[:, None] >= left).all()
    ink_rows = (canvas > 0).any(dim=2)  # (B, H)
    assert ink_rows[:, 0].any() and ink_rows[:, -1].any()
    assert not ink_rows[:, 0].all() and not ink_rows[:, -1].all()


def test_the_same_seed_draws_the_same_numbers():
    for a, b in zip(draw(seed=4), draw(seed=4)):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert not torch.equal(draw(seed=4)[0], draw(seed=5)[0])


def test_a_single_number():
    canvas, targets, left = draw(count=1)
    assert canvas.shape == (1, HEIGHT, WIDTH) and (targets == END).sum() == 1
    assert (left >= 0).sum() in range(MIN_DIGITS, MAX_DIGITS + 1)
