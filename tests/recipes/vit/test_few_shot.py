"""Few photographs a class: how they are drawn and judged, and what is recorded."""

import numpy as np
import pytest
import torch

from tutorial_lib.measuring import records
from tutorial_lib.recipes.vit import few_shot


@pytest.fixture
def few(monkeypatch):
    """Sixty pictures of one colour a class, in place of the stamps."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(10), 6)
    colours = rng.integers(0, 256, (10, 3))[labels]
    images = np.full((60, 32, 32, 4), 255, dtype=np.uint8)
    images[..., :3] = colours[:, None, None]
    images[:, :4, :, 3] = 0
    monkeypatch.setattr(few_shot, "stamps", lambda: (images, labels))
    few_shot.pictures.cache_clear()
    yield images
    few_shot.pictures.cache_clear()


def test_photographs_are_drawn_class_by_class_and_the_rest_is_for_the_test():
    labels = torch.arange(70) % 10
    drawn = [few_shot.split(labels, 3, seed) for seed in (0, 0, 1)]
    for known, others in drawn:
        assert torch.bincount(labels[known]).tolist() == 10 * [3]
        assert sorted([*known.tolist(), *others.tolist()]) == list(range(70))
    assert drawn[0][0].equal(drawn[1][0]) and not drawn[0][0].equal(drawn[2][0])
    smaller = few_shot.split(labels, 1, 0)[0]
    assert set(smaller.tolist()) < set(drawn[0][0].tolist())


def test_every_class_counts_as_much():
    labels = torch.tensor([0] * 8 + [1] * 2)
    assert few_shot.balanced_accuracy(torch.zeros(10), labels) == 0.5
    decided = torch.tensor([0] * 6 + [1] * 3 + [0])
    assert few_shot.balanced_accuracy(decided, labels) == pytest.approx((6 / 8 + 1 / 2) / 2)


def test_the_nearest_mean_in_loops():
    torch.manual_seed(0)
    labels, features = torch.arange(50) % 10, torch.randn(50, 3)
    known, others = few_shot.split(labels, 2, 0)
    right = torch.zeros(10)
    for i in others:
        cosines = []
        for c in range(10):
            a, b = (features[j] / features[j].norm() for j in known if labels[j] == c)
            cosines.append(torch.cosine_similarity(features[i], (a + b) / 2, dim=0))
        right[labels[i]] += torch.stack(cosines).argmax() == labels[i]
    found = few_shot.by_nearest_mean(features, labels, known, others)
    assert found == pytest.approx((right / 3).mean().item())


def test_pictures_are_cut_out_on_what_is_zero(few):
    images, labels = few_shot.pictures()
    assert images.shape == (60, 3, 224, 224) and len(labels) == 60
    assert (images[:, :, :20] == 0).all()
    mean, std = few_shot.pretrained.MEAN[1], few_shot.pretrained.STD[1]
    expected = (few[7, 9, 9, 1] / 255 - mean) / std
    assert images[7, 1, 100, 100].item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("method", ["pixels", "ViT", "CNN"])
def test_a_row_is_measured(method, few):
    row = {"method": method, "shots": 2, "seed": 1}
    row |= {"lr": 1e-3, "steps": 1} if method in few_shot.TRAINED else {}
    found = few_shot.measure(row)
    assert row.items() < found.items() and 0 <= found["accuracy"] <= 1
    if method == "pixels":
        assert found["accuracy"] == 1


def test_class_tokens_of_every_layer(monkeypatch):
    monkeypatch.setattr(few_shot, "pictures", lambda: (torch.randn(3, 3, 28, 28), torch.arange(3)))
    few_shot.class_tokens.cache_clear()
    tokens = few_shot.class_tokens("untrained")
    few_shot.class_tokens.cache_clear()
    assert tokens.shape == (12, 3, 384) and tokens.isfinite().all()
    assert not torch.allclose(tokens[0], tokens[1])


def test_the_record_holds_what_is_planned_and_pre_training_wins():
    rows = records.recorded("few-photographs")[0]["rows"]
    names = "method", "shots", "seed", "lr", "steps"
    recorded = [tuple(row.get(name) for name in names) for row in rows]
    planned = [tuple(row.get(name) for name in names) for row in few_shot.plan()]
    assert sorted(recorded, key=str) == sorted(planned, key=str)
    for shots, margin in ((1, 0.1), (5, 0.15)):
        best = {}
        for row in rows:
            if row["shots"] == shots:
                found = row["by_layer"][-2] if "by_layer" in row else row["accuracy"]
                best.setdefault((row["method"], row["seed"]), []).append(found)
        for (method, seed), found in best.items():
            if method != "pretrained":
                assert max(best["pretrained", seed]) > max(found) + margin, (method, shots, seed)
