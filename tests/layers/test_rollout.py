"""Attention rollout and distance: all paths, all pairs, maps that are known, errors."""

import math

import numpy as np
import pytest
import torch

from tutorial_lib.layers.rollout import attention_distance, attention_rollout


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def random_weights(*shape):
    return torch.randn(*shape, dtype=torch.float64).softmax(dim=-1)


def test_rollout_adds_up_all_paths_through_the_layers():
    weights = [random_weights(2, 3, 4, 4) for _ in range(3)]
    rollout = attention_rollout(weights)
    shares = [(p.mean(dim=1) + torch.eye(4)) / 2 for p in weights]
    expected = torch.zeros(2, 4, 4, dtype=torch.float64)
    for i, a, b, j in np.ndindex(4, 4, 4, 4):  # from output i over a and b to input j
        expected[:, i, j] += shares[2][:, i, a] * shares[1][:, a, b] * shares[0][:, b, j]
    torch.testing.assert_close(rollout, expected)
    torch.testing.assert_close(rollout.sum(-1), torch.ones(2, 4, dtype=torch.float64))


def test_rollout_of_tokens_that_see_only_themselves_is_the_identity():
    alone = torch.eye(5).expand(2, 3, 5, 5)
    torch.testing.assert_close(attention_rollout([alone] * 4), torch.eye(5).expand(2, 5, 5))


def test_distance_equals_the_definition_pair_by_pair():
    weights = random_weights(2, 3, 7, 7)
    expected = torch.zeros(3, dtype=torch.float64)
    for b, h, i in np.ndindex(2, 3, 6):
        row = weights[b, h, 1 + i, 1:]
        for j in range(6):
            distance = math.hypot(i // 3 - j // 3, i % 3 - j % 3)
            expected[h] += row[j] / row.sum() * distance / (2 * 6)
    torch.testing.assert_close(attention_distance(weights, (2, 3)), expected)


def test_distance_of_heads_that_are_known():
    rows, columns = 2, 4
    n = 1 + rows * columns
    itself = torch.eye(n)
    column = torch.arange(rows * columns) % columns
    opposite = torch.zeros(n, n)  # every patch looks at its mirror image, left to right
    opposite[1:, 1:] = (column[:, None] == columns - 1 - column) / rows
    opposite[1:, 1:] *= torch.arange(8)[:, None] // columns == torch.arange(8) // columns
    weights = torch.stack([itself, opposite])[None]
    torch.testing.assert_close(attention_distance(weights, (rows, columns)), torch.tensor([0.0, 2]))
    assert attention_distance(torch.full((1, 1, 2, 2), 0.5), (1, 1)) == 0
    with pytest.raises(ValueError, match="weights of 9 tokens for a grid of 3 × 3, expected 10"):
        attention_distance(weights, (3, 3))


def test_a_patch_that_looks_at_the_class_token_alone_has_no_distance():
    weights = torch.full((1, 2, 5, 5), 0.2)
    weights[0, 0, 3] = torch.eye(5)[0]  # the third patch, in the first of two heads
    first, second = attention_distance(weights, (2, 2))
    assert first.isnan()
    assert second == attention_distance(weights[:, 1:], (2, 2)) > 0
