"""DETR: a set in every sense, positions that only help to find, devices and precision."""

import pytest
import torch

from tutorial_lib.layers.positions import sine_positions_2d
from tutorial_lib.layers.set_loss import SetLoss
from tutorial_lib.models.detection.detr import DETR, PlacedAttention, TinyBackbone


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def small_detr(queries=5, depth=2):
    return DETR(TinyBackbone(8), classes=3, queries=queries, dim=8, depth=depth, heads=2, hidden=12)


def test_one_pair_for_each_layer_of_the_decoder():
    outputs = small_detr(depth=3).eval()(torch.rand(2, 3, 16, 24))
    assert len(outputs) == 3
    for logits, boxes in outputs:
        assert logits.shape == (2, 5, 4) and boxes.shape == (2, 5, 4)
        assert 0 < boxes.min() and boxes.max() < 1
    assert not outputs[0][1].allclose(outputs[1][1])


def test_queries_in_another_order_are_answered_in_that_order():
    model, images = small_detr().eval(), torch.rand(2, 3, 16, 16)
    before, order = model(images)[-1], torch.randperm(5)
    model.queries.data = model.queries.data[order]
    for a, b in zip(before, model(images)[-1]):
        torch.testing.assert_close(a[:, order], b)


def test_queries_differ_by_what_they_have_learned_alone():
    """With one query five times all answers are one, since nothing else tells them apart."""
    model, images = small_detr().eval(), torch.rand(2, 3, 16, 16)
    model.queries.data = model.queries.data[:1].repeat(5, 1)
    for x in model(images)[-1]:
        torch.testing.assert_close(x, x[:, :1].expand_as(x))


def test_a_picture_is_answered_alone_and_every_place_of_it_counts():
    model, images = small_detr().eval(), torch.rand(2, 3, 16, 16, requires_grad=True)
    logits, boxes = model(images)[-1]
    torch.testing.assert_close(model(images[1:])[-1][1], boxes[1:])
    (logits[0].sum() + boxes[0].sum()).backward()
    cells = images.grad.abs().sum(1).unflatten(1, (2, 8)).unflatten(3, (2, 8)).sum((2, 4))
    assert cells[0].all() and not cells[1].any()  # of 8 × 8 pixels each


def test_every_parameter_learns_at_every_layer():
    model = small_detr(depth=3)
    targets = torch.tensor([[0, 2], [1, -1]]), torch.rand(2, 2, 4)
    SetLoss(3)(model(torch.rand(2, 3, 16, 16)), *targets).backward()
    for name, parameter in model.named_parameters():
        # The decoder starts from zeros, so in its first layer queries tell each other the same: the
        # bias. A bias of keys shifts all scores of a query alike.
        silent = [f"decoder.0.attention.to_{letter}" for letter in ("q", "k", "v.weight")]
        silent.append("to_k.bias")
        assert parameter.grad.any() or any(part in name for part in silent), name


def test_places_are_added_to_queries_and_keys_and_not_to_values():
    attention = PlacedAttention(8, 2)
    x, memory = torch.randn(2, 3, 8), torch.randn(2, 5, 8)
    here, there = torch.randn(3, 8), torch.randn(5, 8)
    found = attention(x, memory, here, there)
    p = attention.weights(x, memory, here, there)  # (2, heads, 3, 5)
    values = attention.to_v(memory).unflatten(-1, (2, 4)).transpose(1, 2)
    torch.testing.assert_close(found, attention.to_out((p @ values).transpose(1, 2).flatten(-2)))
    q = attention.to_q(x + here).unflatten(-1, (2, 4)).transpose(1, 2)
    k = attention.to_k(memory + there).unflatten(-1, (2, 4)).transpose(1, 2)
    torch.testing.assert_close(p, (q @ k.mT / 2).softmax(-1))
    zero = torch.zeros(1, 8)
    torch.testing.assert_close(
        attention(x, memory, zero, zero), super(PlacedAttention, attention).forward(x, memory)
    )


def test_the_picture_enters_row_by_row():
    """Places and features are numbered alike: what moves in the picture moves in the memory."""
    model = small_detr(depth=0).eval()
    features = torch.rand(1, 8, 2, 4)
    memory, places = model.encode(features)
    assert places.equal(sine_positions_2d(2, 4, 8))
    assert memory[0, 4 * 1 + 3].equal(features[0, :, 1, 3])
    assert model.backbone(torch.rand(1, 3, 16, 32)).shape == (1, 8, 2, 4)


@pytest.mark.parametrize(
    "device",
    [
        "cpu",
        pytest.param(
            "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
        ),
    ],
)
def test_half_precision_is_close_and_trains(device):
    model, images = small_detr().to(device), torch.rand(2, 3, 16, 16, device=device)
    targets = torch.tensor([[0, 2], [1, -1]], device=device), torch.rand(2, 2, 4, device=device)
    loss = SetLoss(3).to(device)
    precise = loss(model(images), *targets)
    with torch.autocast(device, torch.bfloat16):
        half = loss(model(images), *targets)
    half.backward()
    assert half.dtype == torch.float32 and half.item() == pytest.approx(precise.item(), rel=0.05)
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_a_step_on_the_meta_device_needs_no_other():
    """No tensor is made on a device of its own, which would fail on a GPU."""
    with torch.device("meta"):
        model = small_detr()
    outputs = model(torch.empty(2, 3, 16, 16, device="meta"))
    assert all(x.device.type == "meta" for pair in outputs for x in pair)
