"""DeiT: its tokens, its heads, what each head learns from, what it shares with ViT."""

import pytest
import torch
import torch.nn.functional as F

from tutorial_lib.exercises import deit as exercise
from tutorial_lib.models.backbones.deit import DeiT
from tutorial_lib.models.backbones.vit import ViT

SIZES = dict(image_size=6, patch=2, channels=3, classes=5, dim=8, depth=2, heads=2, hidden=12)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return DeiT(**SIZES)


def images(count=3):
    return torch.randn(count, 3, 6, 6, generator=torch.Generator().manual_seed(1))


def test_tokens_are_a_vits_with_one_more_in_second_place(model):
    x = model.tokens(images())
    assert x.shape == (3, 11, 8)
    as_vit = ViT.tokens(model, images())
    torch.testing.assert_close(x[:, :1], as_vit[:, :1])
    torch.testing.assert_close(x[:, 2:], as_vit[:, 1:])
    second = model.distillation_token + model.distillation_position
    torch.testing.assert_close(x[:, 1], second.expand(3, -1))


def test_each_head_reads_its_own_token_and_prediction_is_their_mean(model):
    features = model.features(images())
    by_label, by_teacher = model(images())
    torch.testing.assert_close(by_label, model.head(features[:, 0]))
    torch.testing.assert_close(by_teacher, model.distillation_head(features[:, 1]))
    torch.testing.assert_close(model.predict(images()), (by_label + by_teacher) / 2)
    torch.testing.assert_close(model.eval().predict(images()), model.train().predict(images()))


def test_it_costs_two_vectors_and_a_head_more_than_vit(model):
    def parameters(model):
        return sum(p.numel() for p in model.parameters())

    assert parameters(model) - parameters(ViT(**SIZES)) == 2 * 8 + 8 * 5 + 5


def test_exchanging_the_tokens_exchanges_the_answers(model):
    """Nothing but what they learn tells the two tokens apart."""
    by_label, by_teacher = model(images())
    state = model.state_dict()
    for ours, theirs in [
        ("class_token", "distillation_token"),
        ("head.weight", "distillation_head.weight"),
        ("head.bias", "distillation_head.bias"),
    ]:
        state[ours], state[theirs] = state[theirs].clone(), state[ours].clone()
    positions = state["positions.table"]
    state["distillation_position"], positions[:1] = (
        positions[:1].clone(),
        state["distillation_position"].clone(),
    )
    model.load_state_dict(state)
    now_by_label, now_by_teacher = model(images())
    torch.testing.assert_close(now_by_label, by_teacher)
    torch.testing.assert_close(now_by_teacher, by_label)


def test_a_label_alone_does_not_reach_the_second_head(model):
    by_label, _ = model(images())
    F.cross_entropy(by_label, torch.tensor([0, 1, 2])).backward()
    assert model.distillation_head.weight.grad is None
    # The token is still read by the class token, through attention.
    assert model.distillation_token.grad.abs().max() > 0


def test_attention_weights_cover_both_tokens(model):
    weights = model.weights(images())
    assert [tuple(p.shape) for p in weights] == [(3, 2, 11, 11)] * 2


def test_another_size_of_image_keeps_both_tokens(model):
    x = model.tokens(torch.randn(1, 3, 4, 10))
    assert x.shape == (1, 12, 8)
    second = model.distillation_token + model.distillation_position
    torch.testing.assert_close(x[0, 1:2], second)


def test_a_small_set_and_a_teachers_other_opinion_are_both_learned(model):
    """Label and teacher disagree on every picture: each head gives its own answer."""
    labels, decided = torch.arange(10) % 5, (torch.arange(10) + 1) % 5
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for step in range(60):
        by_label, by_teacher = model(images(10))
        loss = (F.cross_entropy(by_label, labels) + F.cross_entropy(by_teacher, decided)) / 2
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            for name, parameter in model.named_parameters():
                # A key's bias adds the same number to all scores of a query: softmax ignores it.
                assert parameter.grad.abs().max() > 1e-8 or name.endswith("to_k.bias"), name
        optimizer.step()
    assert loss < 0.1
    by_label, by_teacher = model(images(10))
    assert torch.equal(by_label.argmax(-1), labels)
    assert torch.equal(by_teacher.argmax(-1), decided)


def test_token_similarity_is_one_for_tokens_of_one_direction_and_any_length():
    x = torch.randn(4, 6, 8)
    x[:, 1] = x[:, 0] * torch.tensor([[1e-3], [1.0], [2.0], [1e3]])
    opposite = x.clone()
    opposite[:, 1] *= -1
    found = exercise.token_similarity.reference([x, opposite])
    torch.testing.assert_close(found, torch.tensor([1.0, -1.0]))
