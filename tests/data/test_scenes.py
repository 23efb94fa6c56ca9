"""Scenes: what is said of them is what is on the canvas."""

import numpy as np
import pytest
import torch

from tutorial_lib.data import scenes
from tutorial_lib.data.fashion_mnist import NAMES
from tutorial_lib.data.scenes import KINDS, NO_OBJECT, Hidden, Item, batch, compose, scene


def same(a, b):
    return all(torch.equal(getattr(a, k), getattr(b, k)) for k in ("image", "boxes", "masks"))


@pytest.mark.parametrize("index", range(40))
def test_boxes_masks_and_depth_of_random_scenes_fit_each_other(index):
    s = scene("train", 0, index)
    K = len(s.classes)
    assert 1 <= K <= 4 and s.image.shape == (3, 64, 64) and s.masks.shape == (K, 64, 64)
    assert 0 <= s.image.min() and s.image.max() <= 1
    assert s.masks.sum(0).max() == 1, "a place is seen to belong to one garment"
    assert s.depth.tolist() == list(range(K))[::-1]
    assert s.seen[-1] == 1 and s.seen.min() >= scenes.LEAST_SEEN, "the nearest is whole"
    assert [list(KINDS)[c] for c in s.classes] == [item.kind for item in s.items]
    assert len({item.color for item in s.items}) == K
    for mask, (cx, cy, w, h) in zip(s.masks, (64 * s.boxes).tolist()):
        rows, columns = mask.nonzero(as_tuple=True)
        edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert edges == [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2]


def test_a_scene_is_reproducible_and_every_argument_counts():
    s = scene("train", 0, 0)
    assert same(s, scene("train", 0, 0))
    others = [scene("test", 0, 0), scene("train", 1, 0), scene("train", 0, 1)]
    assert not any(s.image.equal(other.image) for other in others)
    small = [scene("train", 0, i, kinds=("bag", "shoe"), most=2, side=32) for i in range(30)]
    assert {s.image.shape for s in small} == {(3, 32, 32)}
    assert {len(s.items) for s in small} == {1, 2}
    assert {item.kind for s in small for item in s.items} == {"bag", "shoe"}


def test_train_and_test_have_garments_of_their_own_and_every_class_has_a_kind():
    assert sorted(n for names in KINDS.values() for n in names) == sorted(NAMES)
    item = Item("bag", 32, 32, 40)
    assert not compose([item], "train").image.equal(compose([item], "test").image)


def test_a_later_item_lies_over_an_earlier_one():
    back, front = Item("bag", 32, 32, 30, "red"), Item("dress", 32, 36, 30, "blue")
    alone, both = compose([front]), compose([back, front])
    assert both.masks[1].equal(alone.masks[0]) and both.seen[0] < 1 == both.seen[1]
    inside = both.masks[1] & (both.image - alone.image).abs().sum(0).lt(1e-6)
    assert inside.sum() > 0.8 * both.masks[1].sum()  # all but the soft edge
    whole = compose([back]).masks[0]
    assert both.masks[0].equal(whole & ~alone.masks[0])
    assert both.seen[0] == pytest.approx((both.masks[0].sum() / whole.sum()).item())


def test_an_item_stands_where_it_was_put_and_is_as_large_as_was_said():
    for kind in KINDS:
        cx, cy, w, h = (64 * compose([(kind, 24, 38, 20)]).boxes[0]).tolist()
        assert abs(cx - 24) <= 1 and abs(cy - 38) <= 1 and 18 <= max(w, h) <= 20


def test_an_item_that_reaches_over_the_border_is_cut_there():
    whole, cut = compose([("bag", 32, 32, 24)]), compose([("bag", 0, 32, 24)])
    assert cut.masks[0, :, :12].equal(whole.masks[0, :, 32:44])
    assert cut.boxes[0, 0] == cut.boxes[0, 2] / 2  # it begins at the border


def test_what_is_not_to_be_seen_is_refused():
    for x, y in [(-20, 32), (90, 32), (32, -20), (32, 90)]:
        with pytest.raises(Hidden, match="nothing is to be seen of Item.kind='shoe'"):
            compose([("shoe", x, y, 20)])
    with pytest.raises(Hidden, match="kind='shoe'"):
        compose([("shoe", 32, 32, 10), ("bag", 32, 32, 40)])


@pytest.mark.parametrize(
    "item, message",
    [
        (("hat", 9, 9, 9), "'hat' is no kind of garment, expected one of top, trouser"),
        (("bag", 9, 9, 9, "pink"), "'pink' is no color, expected one of red, orange"),
        (("bag", 9, 9, 9, "red", 200), "no bag 200 to test, only 0 to 199"),
        (("bag", 9, 9, 9, "red", -1), "no bag -1 to test"),
    ],
)
def test_wrong_items_are_refused(item, message):
    with pytest.raises(ValueError, match=message):
        compose([item])


def test_more_garments_than_colors_and_another_split_are_refused():
    with pytest.raises(ValueError, match="split is 'validation', expected one of train, test"):
        scene("validation", 0, 0)
    with pytest.raises(ValueError, match="most is 7, expected 1 to 6"):
        scene("test", 0, 0, most=7)


def test_an_empty_scene_is_its_background():
    s = compose([])
    assert s.boxes.shape == (0, 4) and s.masks.shape == (0, 64, 64) and s.classes.shape == (0,)
    assert s.image.equal(s.image[:, :, :1].expand(3, 64, 64)), "a row has one color"


def test_a_batch_is_filled_up():
    drawn = [compose([]), scene("test", 0, 1), compose([("bag", 20, 20, 20)])]
    images, classes, boxes = batch(drawn)
    K = len(drawn[1].classes)
    assert images.shape == (3, 3, 64, 64) and boxes.shape == (3, K, 4) and classes.shape == (3, K)
    for i, s in enumerate(drawn):
        k = len(s.classes)
        assert classes[i, :k].equal(s.classes) and boxes[i, :k].equal(s.boxes)
        assert (classes[i, k:] == NO_OBJECT).all() and not boxes[i, k:].any()
    assert batch([compose([])])[1].shape == (1, 0)


def test_garments_are_spread_over_the_canvas():
    boxes = np.concatenate([scene("test", 1, i).boxes for i in range(150)])
    assert np.allclose(boxes[:, :2].mean(0), 0.5, atol=0.06)
    assert boxes[:, 2:].max() <= scenes.LARGEST + 0.02
