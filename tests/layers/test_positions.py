"""Positions, in NumPy and in PyTorch: formulas by loops, identities, finite differences, models."""

import math

import numpy as np
import pytest
import torch

from tutorial_lib.from_scratch import positions as course
from tutorial_lib.from_scratch.attention import scores, softmax, softmax_backward
from tutorial_lib.from_scratch.gradcheck import numerical_gradient, relative_error
from tutorial_lib.layers import positions as layers
from tutorial_lib.layers.multi_head_attention import MultiHeadAttention

GRIDS = [(1, 1), (1, 4), (3, 1), (2, 3), (4, 4)]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# Sinusoids


@pytest.mark.parametrize("n, d", [(1, 2), (3, 2), (5, 6), (2, 64)])
def test_sinusoidal_is_the_formula_of_the_paper(n, d):
    E = course.sinusoidal(n, d)
    assert E.shape == (n, d) and E.dtype == np.float64
    for p in range(n):
        for i in range(d // 2):
            assert E[p, 2 * i] == pytest.approx(math.sin(p / 10000 ** (2 * i / d)))
            assert E[p, 2 * i + 1] == pytest.approx(math.cos(p / 10000 ** (2 * i / d)))


def test_fixed_encodings_are_made_where_the_module_is():
    """A check counts an answer's weights on the device "meta", which takes no memory."""
    with torch.device("meta"):
        assert layers.sinusoidal(3, 4).device.type == "meta"
        assert layers.sine_positions_2d(3, 2, 8).device.type == "meta"


@pytest.mark.parametrize("d", [2, 6, 64])
@pytest.mark.parametrize("k", [0, 1, 7, -3])
def test_one_matrix_shifts_every_position(k, d):
    E, M = course.sinusoidal(200, d), course.shift_matrix(k, d)
    here, there = (E[: 200 - k], E[k:]) if k >= 0 else (E[-k:], E[:k])
    np.testing.assert_allclose(here @ M.T, there, atol=1e-12)
    np.testing.assert_allclose(M @ M.T, np.eye(d), atol=1e-12)
    np.testing.assert_allclose(
        course.shift_matrix(1, d) @ M, course.shift_matrix(k + 1, d), atol=1e-12
    )


def test_the_product_of_two_encodings_knows_their_distance_alone():
    E = course.sinusoidal(50, 16)
    products = E @ E.T
    for k in range(50):
        np.testing.assert_allclose(np.diag(products, k), np.cos(k * course.frequencies(16)).sum())


@pytest.mark.parametrize("rows, columns", GRIDS)
def test_sinusoidal_2d_has_a_half_for_the_row_and_one_for_the_column(rows, columns):
    E = course.sinusoidal_2d(rows, columns, 8)
    assert E.shape == (rows * columns, 8)
    for y in range(rows):
        for x in range(columns):
            token = E[y * columns + x]
            np.testing.assert_array_equal(token[:4], course.sinusoidal(rows, 4)[y])
            np.testing.assert_array_equal(token[4:], course.sinusoidal(columns, 4)[x])


def test_features_must_come_in_pairs():
    for call in (
        lambda: course.sinusoidal(3, 5),
        lambda: course.shift_matrix(1, 5),
        lambda: course.rotary(np.zeros((2, 5)), np.arange(2)),
        lambda: layers.rotary(torch.zeros(2, 5), torch.arange(2)),
    ):
        with pytest.raises(ValueError, match="d = 5.*even"):
            call()
    with pytest.raises(ValueError, match="d = 6.*multiple of 4"):
        course.sinusoidal_2d(2, 2, 6)


def test_rotary_refuses_whole_numbers_which_would_cut_sines_down_to_zero():
    with pytest.raises(TypeError, match="floats, not int64"):
        course.rotary(np.ones((2, 4), dtype=np.int64), np.arange(2))
    with pytest.raises(TypeError, match="floats, not torch.int64"):
        layers.rotary(torch.ones(2, 4, dtype=torch.int64), torch.arange(2))


@pytest.mark.parametrize("tokens, count", [(1, 3), (3, 1), (3, 2)])
def test_rotary_takes_one_position_for_each_token(tokens, count):
    with pytest.raises(ValueError, match=f"({count},).* positions for {tokens} tokens"):
        layers.rotary(torch.zeros(2, tokens, 4), torch.arange(count))


# A bias for each offset


@pytest.mark.parametrize("rows, columns", GRIDS)
def test_relative_position_index_numbers_the_offsets(rows, columns):
    index = course.relative_position_index(rows, columns)
    cells = [(y, x) for y in range(rows) for x in range(columns)]
    offsets = [
        (dy, dx) for dy in range(1 - rows, rows) for dx in range(1 - columns, columns)
    ]  # the table, line by line
    for i, query in enumerate(cells):
        for j, key in enumerate(cells):
            assert offsets[index[i, j]] == (query[0] - key[0], query[1] - key[1])
    assert set(index.ravel()) == set(range(len(offsets)))


@pytest.mark.parametrize("heads", [1, 2])
def test_relative_bias_backward_agrees_with_finite_differences(rng, heads):
    index, size = course.relative_position_index(2, 3), 3 * 5
    Q, K, dP = (rng.normal(size=shape) for shape in [(heads, 6, 4), (heads, 6, 4), (heads, 6, 6)])
    table = rng.normal(size=(heads, size))

    def weights(table):
        return softmax(scores(Q, K) + table[:, index])

    dS = softmax_backward(dP, weights(table))
    numerical = numerical_gradient(lambda table: float((dP * weights(table)).sum()), table)
    gradient = course.relative_bias_backward(dS, index, size)
    assert gradient.shape == table.shape
    assert relative_error(gradient, numerical) < 1e-6
    np.testing.assert_array_equal(course.relative_bias_backward(dS[0], index, size), gradient[0])


def test_relative_bias_is_looked_up_by_offset_and_learns():
    torch.manual_seed(0)
    module = layers.RelativeBias(2, 3, heads=2)
    bias, table = module(), module.table.detach().view(2, 3, 5)  # heads, dy, dx
    assert bias.shape == (2, 6, 6)
    for i in range(6):
        for j in range(6):
            dy, dx = i // 3 - j // 3, i % 3 - j % 3
            assert torch.equal(bias[:, i, j], table[:, dy + 1, dx + 2])
    upstream = torch.randn(2, 6, 6)
    bias.backward(upstream)
    index = course.relative_position_index(2, 3)
    expected = course.relative_bias_backward(upstream.numpy(), index, 15)
    np.testing.assert_allclose(module.table.grad, expected, rtol=1e-5, atol=1e-6)
    assert list(module.state_dict()) == ["table"]


# Rotations


def test_rotary_turns_pairs_as_complex_numbers(rng):
    X, positions = rng.normal(size=(2, 5, 6)), np.array([0, 3, 1, 1000, -2])
    turn = np.exp(1j * positions[:, None] / 10000 ** (np.arange(3) / 3))
    expected = (X.view(complex) * turn).view(float)
    np.testing.assert_allclose(course.rotary(X, positions), expected, atol=1e-12)


@pytest.mark.parametrize("d", [2, 8])
def test_rotary_keeps_lengths_and_scores_know_the_distance_alone(rng, d):
    Q, K = rng.normal(size=(2, 7, d))
    for far in (0, 1, 500):
        near = np.arange(7)
        there, here = course.rotary(Q, near + far), course.rotary(Q, near)
        np.testing.assert_allclose(np.linalg.norm(there, axis=-1), np.linalg.norm(Q, axis=-1))
        moved = scores(there, course.rotary(K, near + far))
        np.testing.assert_allclose(moved, scores(here, course.rotary(K, near)), atol=1e-10)
    assert not np.allclose(scores(here, course.rotary(K, near)), scores(Q, K))
    np.testing.assert_array_equal(course.rotary(Q, np.zeros(7)), Q)


def test_rotary_is_the_shift_matrix_transposed(rng):
    """A pair (x, y) turns by pω; a pair (sin, cos) shifted by p turns by −pω."""
    X = rng.normal(size=(4, 6))
    expected = [course.shift_matrix(p, 6).T @ X[p] for p in range(4)]
    np.testing.assert_allclose(course.rotary(X, np.arange(4)), expected, atol=1e-12)


@pytest.mark.parametrize("shape", [(1, 2), (3, 4), (2, 3, 6)])
def test_rotary_backward_agrees_with_finite_differences(rng, shape):
    X, dY, positions = rng.normal(size=shape), rng.normal(size=shape), np.arange(shape[-2]) + 5
    numerical = numerical_gradient(lambda X: float((dY * course.rotary(X, positions)).sum()), X)
    assert relative_error(course.rotary_backward(dY, positions), numerical) < 1e-6


# PyTorch


@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_rotary_in_torch_equals_numpy_forward_and_backward(rng, dtype, tolerance):
    X, dY, positions = rng.normal(size=(2, 3, 6)), rng.normal(size=(2, 3, 6)), np.array([4, 0, 90])
    x = torch.tensor(X, dtype=dtype, requires_grad=True)
    y = layers.rotary(x, torch.from_numpy(positions))
    y.backward(torch.tensor(dY, dtype=dtype))
    assert y.dtype == dtype and course.rotary(X.astype(np.float32), positions).dtype == np.float32
    np.testing.assert_allclose(y.detach(), course.rotary(X, positions), atol=tolerance)
    np.testing.assert_allclose(x.grad, course.rotary_backward(dY, positions), atol=tolerance)


def test_rotary_in_half_precision_keeps_its_angles(rng):
    X, positions = rng.normal(size=(4, 8)), torch.tensor([1000, 1001, 2047, 4095])
    y = layers.rotary(torch.tensor(X, dtype=torch.bfloat16), positions)
    assert y.dtype == torch.bfloat16
    expected = course.rotary(X, positions.numpy())
    np.testing.assert_allclose(y.float(), expected, atol=0.05)  # bfloat16 has 3 digits


def test_sinusoidal_in_torch_has_the_default_dtype():
    E = layers.sinusoidal(5, 6)
    assert E.dtype == torch.get_default_dtype()
    np.testing.assert_allclose(E, course.sinusoidal(5, 6), atol=1e-7)


def test_learned_positions_are_small_at_first():
    torch.manual_seed(0)
    assert 0.015 < layers.LearnedPositions(50, 40)().std() < 0.025


def test_learned_positions_are_a_table_or_the_sum_of_two():
    flat, grid = layers.LearnedPositions(5, 4), layers.LearnedPositions2D(2, 3, 4)
    assert flat().shape == (5, 4) and sum(p.numel() for p in flat.parameters()) == 20
    assert sum(p.numel() for p in grid.parameters()) == (2 + 3) * 4
    assert grid().shape == (6, 4)
    for y in range(2):
        for x in range(3):
            assert torch.equal(grid()[3 * y + x], grid.row[y, 0] + grid.column[x])
    grid().sum().backward()
    torch.testing.assert_close(grid.row.grad, torch.full((2, 1, 4), 3.0))
    torch.testing.assert_close(grid.column.grad, torch.full((3, 4), 2.0))


# Inside multi-head attention


@pytest.mark.parametrize("masked", [False, True])
def test_a_bias_and_a_rotation_inside_attention_equal_explicit_loops(masked):
    torch.manual_seed(0)
    module, x = MultiHeadAttention(8, heads=2).double(), torch.randn(3, 6, 8).double()
    bias = layers.RelativeBias(2, 3, heads=2).double()()
    positions = torch.arange(6)
    mask = torch.rand(3, 6, 6) < 0.6 if masked else None
    if masked:
        mask[..., 0] = True
    extras = dict(mask=mask, score_bias=bias, rotate=lambda q: layers.rotary(q, positions))
    y, p = module(x, **extras), module.weights(x, **extras)
    assert p.shape == (3, 2, 6, 6)
    for b in range(3):
        z = []
        for h in range(2):
            own = slice(4 * h, 4 * h + 4)
            q, k, v = (to(x[b])[:, own] for to in (module.to_q, module.to_k, module.to_v))
            s = layers.rotary(q, positions) @ layers.rotary(k, positions).T / 2 + bias[h]
            if masked:
                s = s.masked_fill(~mask[b], -torch.inf)
            torch.testing.assert_close(p[b, h], s.softmax(dim=-1).detach())
            z.append(s.softmax(dim=-1) @ v)
        torch.testing.assert_close(y[b], module.to_out(torch.cat(z, dim=-1)))


@pytest.mark.parametrize("biased", [False, True])
def test_a_mask_may_have_fewer_axes_than_the_weights(biased):
    torch.manual_seed(0)
    module, x = MultiHeadAttention(8, heads=2), torch.randn(3, 6, 8)
    bias = layers.RelativeBias(2, 3, heads=2)() if biased else None
    keys = torch.tensor([True, True, False, True, False, True])
    expected = module(x, mask=keys.expand(3, 6, 6), score_bias=bias)
    for mask in (keys, keys[None], keys.expand(6, 6), keys[None, None]):
        torch.testing.assert_close(module(x, mask=mask, score_bias=bias), expected)
    assert not torch.allclose(module(x, score_bias=bias), expected)


def test_a_bias_learns_through_attention():
    torch.manual_seed(0)
    module, bias = MultiHeadAttention(8, heads=2), layers.RelativeBias(2, 3, heads=2)
    mask = torch.ones(6, 6, dtype=torch.bool).tril()
    module(torch.randn(3, 6, 8), mask=mask, score_bias=bias()).square().sum().backward()
    assert bias.table.grad.isfinite().all() and bias.table.grad.abs().max() > 0


def test_rotary_attention_does_not_see_where_the_sequence_begins():
    torch.manual_seed(0)
    module, x = MultiHeadAttention(8, heads=2).double(), torch.randn(1, 5, 8).double()
    near, far = (
        module(x, rotate=lambda q, first=first: layers.rotary(q, first + torch.arange(5)))
        for first in (0, 300)
    )
    torch.testing.assert_close(near, far)
    assert not torch.allclose(near, module(x))


# Public models


def test_relative_position_index_equals_swins():
    transformers = pytest.importorskip("transformers")
    config = transformers.SwinConfig(
        image_size=12, patch_size=1, num_channels=1, embed_dim=4, depths=[1], num_heads=[2],
        window_size=4,
    )  # fmt: skip
    buffers = dict(transformers.SwinModel(config).named_buffers())
    (theirs,) = (b for name, b in buffers.items() if name.endswith("relative_position_index"))
    np.testing.assert_array_equal(theirs.view(16, 16), course.relative_position_index(4, 4))


def test_sinusoidal_equals_marians_but_for_the_order_of_features():
    transformers = pytest.importorskip("transformers")
    config = transformers.MarianConfig(
        vocab_size=5, d_model=6, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=4, decoder_ffn_dim=4, pad_token_id=0,
        max_position_embeddings=20,
    )  # fmt: skip
    theirs = transformers.MarianModel(config).encoder.embed_positions.weight
    ours = course.sinusoidal(20, 6)
    halves = np.concatenate([ours[:, 0::2], ours[:, 1::2]], axis=-1)  # sines, then cosines
    np.testing.assert_allclose(theirs.detach(), halves, atol=1e-6)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, np.float16])
def test_positions_that_half_precision_has_rounded_are_refused(kind):
    tokens = np.zeros((300, 4), dtype=np.float32)
    with pytest.raises(TypeError, match="expected whole numbers"):
        if kind is np.float16:
            course.rotary(tokens, np.arange(300, dtype=kind))
        else:
            layers.rotary(torch.from_numpy(tokens), torch.arange(300).to(kind))


# DETR's


@pytest.mark.parametrize("rows, columns", GRIDS)
def test_sine_positions_2d_are_the_formula(rows, columns):
    found = layers.sine_positions_2d(rows, columns, 8)
    assert found.shape == (rows * columns, 8) and found.dtype == torch.float32
    for y in range(rows):
        for x in range(columns):
            token = found[y * columns + x]
            for half, at in enumerate(
                (2 * math.pi * (y + 1) / rows, 2 * math.pi * (x + 1) / columns)
            ):
                for i in range(2):
                    angle = at / 10000 ** (2 * i / 4)
                    assert token[4 * half + 2 * i] == pytest.approx(math.sin(angle), abs=1e-6)
                    assert token[4 * half + 2 * i + 1] == pytest.approx(math.cos(angle), abs=1e-6)


def test_sine_positions_2d_say_the_part_of_the_picture():
    coarse, fine = layers.sine_positions_2d(2, 3, 12), layers.sine_positions_2d(4, 6, 12)
    fine = fine.unflatten(0, (4, 6))
    torch.testing.assert_close(coarse.unflatten(0, (2, 3)), fine[1::2, 1::2])
    with pytest.raises(ValueError, match="d = 6: rows and columns both need pairs"):
        layers.sine_positions_2d(2, 2, 6)


@pytest.mark.parametrize(
    "make", [lambda: layers.sinusoidal(3, 4), lambda: layers.sine_positions_2d(2, 3, 4)]
)
def test_sinusoids_are_made_on_the_device_that_is_asked_for(make):
    with torch.device("meta"):
        assert make().device.type == "meta"
