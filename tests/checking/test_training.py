"""Checks of a training step: losses and weights after three steps, in a style of one's own."""

import pytest
import torch
import torch.nn.functional as F
from checking_helpers import message

from tutorial_lib.exercises.vit.training import training_step


def in_another_style(model, optimizer, images, labels):
    model.zero_grad(set_to_none=False)
    model.train()
    losses = -model(images).log_softmax(-1)[torch.arange(len(labels)), labels]
    losses.mean().backward()
    norm = torch.stack([p.grad.norm() for p in model.parameters()]).norm()
    for p in model.parameters():
        p.grad.mul_(min(1.0, 1.0 / (norm.item() + 1e-6)))
    optimizer.step()
    return losses.mean().detach()  # a tensor, where the task has a float


def test_a_right_step_in_another_style_is_given_back():
    assert training_step.check(in_another_style) is in_another_style


def test_a_step_that_never_moves_the_weights_is_shown_where_it_parts():
    def only_looks(model, optimizer, images, labels):
        model.train()
        return F.cross_entropy(model(images), labels).item()

    text = message(only_looks, training_step)
    assert "✓ loss of step 1" in text and "✗ weights after step 1" in text


@pytest.mark.parametrize("lost", ["weight", "bias"])
def test_a_weight_that_is_cut_off_is_named(lost):
    def freezes(model, optimizer, images, labels):
        model.train()
        for name, p in model.named_parameters():
            p.requires_grad_(not name.endswith(lost))
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    assert f"weights after step 1.0.{lost}" in message(freezes, training_step)


def test_a_loss_that_keeps_its_graph_is_refused():
    def keeps(model, optimizer, images, labels):
        return in_another_style(model, optimizer, images, labels).requires_grad_()

    assert "`.item()` gives one" in message(keeps, training_step)
