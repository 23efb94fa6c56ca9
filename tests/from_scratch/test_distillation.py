"""Distillation in NumPy: brute force, finite differences, identities, the hot limit, PyTorch."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tutorial_lib.data import augmentation
from tutorial_lib.exercises import deit as exercise
from tutorial_lib.from_scratch.attention import softmax
from tutorial_lib.from_scratch.distillation import (
    cross_entropy,
    cross_entropy_backward,
    hard_distillation,
    hard_distillation_backward,
    log_softmax,
    predict_with_two_heads,
    soft_distillation,
    soft_distillation_backward,
)
from tutorial_lib.from_scratch.gradcheck import numerical_gradient, relative_error

SIZES = [(1, 1), (1, 2), (4, 1), (3, 5), (2, 10)]
TAUS = (0.5, 1.0, 3.0)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def mixed_labels(rng, n, k):
    return 0.7 * np.eye(k)[rng.integers(k, size=n)] + 0.3 * np.eye(k)[rng.integers(k, size=n)]


def assert_gradient(found, f, Z):
    """`found` is the gradient of the number f(Z)."""
    numerical = numerical_gradient(f, Z)
    assert found.shape == Z.shape
    np.testing.assert_allclose(found, numerical, atol=1e-9)
    if np.abs(numerical).max() > 1e-6:
        assert relative_error(found, numerical) < 1e-6


@pytest.mark.parametrize("n, k", SIZES)
@pytest.mark.parametrize("tau", TAUS)
def test_soft_distillation_by_brute_force_and_by_pytorch(rng, n, k, tau):
    Z_s, Z_t = rng.normal(size=(2, n, k))
    total = 0.0
    for i in range(n):
        p_s, p_t = ([math.exp(z / tau) for z in Z[i]] for Z in (Z_s, Z_t))
        for s, t in zip(p_s, p_t):
            total += t / sum(p_t) * math.log((t / sum(p_t)) / (s / sum(p_s)))
    found = soft_distillation(Z_s, Z_t, tau)
    assert found == pytest.approx(tau**2 * total / n, abs=1e-12)
    s, t = (torch.from_numpy(Z / tau).log_softmax(-1) for Z in (Z_s, Z_t))
    expected = tau**2 * F.kl_div(s, t, reduction="batchmean", log_target=True)
    assert found == pytest.approx(expected.item(), abs=1e-12)


@pytest.mark.parametrize("n, k", SIZES)
@pytest.mark.parametrize("tau", TAUS)
def test_soft_distillation_backward_agrees_with_finite_differences(rng, n, k, tau):
    Z_s, Z_t = rng.normal(size=(2, n, k))
    found = soft_distillation_backward(Z_s, Z_t, tau)
    assert list(found) == ["dlog_p", "du", "dZ_s"]
    p_t = softmax(Z_t / tau)

    def from_log_p(log_p):
        return tau**2 * (p_t * (np.log(p_t) - log_p)).sum() / n

    assert_gradient(found["dlog_p"], from_log_p, log_softmax(Z_s / tau))
    assert_gradient(found["du"], lambda u: soft_distillation(tau * u, Z_t, tau), Z_s / tau)
    assert_gradient(found["dZ_s"], lambda Z: soft_distillation(Z, Z_t, tau), Z_s)
    np.testing.assert_allclose(
        found["dZ_s"], tau / n * (softmax(Z_s / tau) - p_t), rtol=1e-12, atol=1e-15
    )


@pytest.mark.parametrize("tau", TAUS)
def test_a_student_that_agrees_has_nothing_to_learn(rng, tau):
    Z_t = rng.normal(size=(3, 4))
    shifted = Z_t + rng.normal(size=(3, 1))  # softmax does not see a number added to a row
    assert soft_distillation(shifted, Z_t, tau) == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(soft_distillation_backward(shifted, Z_t, tau)["dZ_s"], 0, atol=1e-12)
    assert soft_distillation(Z_t[:, ::-1], Z_t, tau) > 0


def test_at_a_high_temperature_it_matches_centred_logits(rng):
    """Hinton et al., section 2.1: the gradient of each picture tends to the difference of centred
    logits over K, the loss to half its square."""
    Z_s, Z_t = rng.normal(size=(2, 3, 5))
    difference = (Z_s - Z_s.mean(-1, keepdims=True)) - (Z_t - Z_t.mean(-1, keepdims=True))
    for tau in (1e2, 1e3):
        gradient = 3 * soft_distillation_backward(Z_s, Z_t, tau)["dZ_s"]
        np.testing.assert_allclose(gradient, difference / 5, atol=3 / tau)
        half_square = (difference**2).sum(-1).mean() / 10
        assert soft_distillation(Z_s, Z_t, tau) == pytest.approx(half_square, rel=20 / tau)


def test_soft_distillation_is_label_plus_what_the_teacher_cannot_lose(rng):
    """τ = 1: cross-entropy with the teacher's probabilities, less their entropy."""
    Z_s, Z_t = rng.normal(size=(2, 4, 3))
    p_t = softmax(Z_t)
    entropy = -(p_t * np.log(p_t)).sum(-1).mean()
    assert soft_distillation(Z_s, Z_t, 1.0) == pytest.approx(cross_entropy(Z_s, p_t) - entropy)
    found = soft_distillation_backward(Z_s, Z_t, 1.0)["dZ_s"]
    np.testing.assert_allclose(found, cross_entropy_backward(Z_s, p_t), atol=1e-15)


@pytest.mark.parametrize("n, k", SIZES)
def test_hard_distillation_is_half_of_two_cross_entropies(rng, n, k):
    Z_cls, Z_dist, Z_t = rng.normal(size=(3, n, k))
    y = mixed_labels(rng, n, k)
    decided = torch.from_numpy(Z_t).argmax(-1)
    expected = F.cross_entropy(torch.from_numpy(Z_cls), torch.from_numpy(y)) / 2
    expected += F.cross_entropy(torch.from_numpy(Z_dist), decided) / 2
    assert hard_distillation(Z_cls, Z_dist, y, Z_t) == pytest.approx(expected.item(), abs=1e-12)
    found = hard_distillation_backward(Z_cls, Z_dist, y, Z_t)
    assert_gradient(found["dZ_cls"], lambda Z: hard_distillation(Z, Z_dist, y, Z_t), Z_cls)
    assert_gradient(found["dZ_dist"], lambda Z: hard_distillation(Z_cls, Z, y, Z_t), Z_dist)


def test_hard_distillation_is_the_cold_limit_of_soft_targets(rng):
    """The teacher's probabilities at τ → 0 are its decision."""
    Z_cls, Z_dist, Z_t = rng.normal(size=(3, 4, 5))
    y = mixed_labels(rng, 4, 5)
    cold = cross_entropy(Z_cls, y) / 2 + cross_entropy(Z_dist, softmax(Z_t / 1e-4)) / 2
    assert hard_distillation(Z_cls, Z_dist, y, Z_t) == pytest.approx(cold)


def test_logits_of_any_size_give_finite_numbers():
    far, near = np.array([[1e4, 0.0, -1e4]]), np.zeros((1, 3))
    for Z_s, Z_t in [(far, near), (near, far), (far, -far), (far, far)]:
        assert np.isfinite(soft_distillation(Z_s, Z_t, 0.5))
        assert np.isfinite(soft_distillation_backward(Z_s, Z_t, 0.5)["dZ_s"]).all()
        assert np.isfinite(hard_distillation(Z_s, Z_t, np.eye(3)[:1], Z_t))
    assert soft_distillation(far, far, 1.0) == 0
    assert hard_distillation(far, far, np.eye(3)[2:], far) == 1e4  # 20,000 for the label, halved


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients_keep_the_dtype(rng, dtype):
    Z_s, Z_t, y = rng.normal(size=(2, 3, 4)).astype(dtype)[[0, 1, 0]]
    soft = soft_distillation_backward(Z_s, Z_t, 3.0)
    hard = hard_distillation_backward(Z_s, Z_s, softmax(y), Z_t)
    assert {x.dtype for x in (*soft.values(), *hard.values())} == {np.dtype(dtype)}


def test_the_mean_of_logits_is_the_geometric_mean_of_probabilities(rng):
    Z_cls, Z_dist = rng.normal(size=(2, 5, 4))
    found = predict_with_two_heads(Z_cls, Z_dist)
    for p in (found["by_probabilities"], found["by_logits"]):
        np.testing.assert_allclose(p.sum(-1), 1)
    geometric = np.sqrt(softmax(Z_cls) * softmax(Z_dist))
    expected = geometric / geometric.sum(-1, keepdims=True)
    np.testing.assert_allclose(found["by_logits"], expected)


def test_the_two_rules_can_choose_differently():
    found = predict_with_two_heads(np.array([[3.0, 0, -1], [1, 0, 0]]), np.array([[-9.0, 0, 0.1]]))
    assert found["differ"] == 0.5
    assert predict_with_two_heads(np.ones((2, 1)), np.ones((2, 1)))["differ"] == 0


def test_the_buggy_start_is_wrong_by_the_number_of_classes_and_teaches_the_teacher(rng):
    z_s, z_t = (torch.from_numpy(z).requires_grad_() for z in rng.normal(size=(2, 4, 10)))
    buggy = exercise.divergence_from_teacher.start(z_s, z_t, 3.0)
    right = exercise.divergence_from_teacher.reference(z_s, z_t, 3.0)
    torch.testing.assert_close(10 * buggy, right)
    expected = soft_distillation(z_s.detach().numpy(), z_t.detach().numpy(), 3.0)
    assert right.item() == pytest.approx(expected)
    assert torch.autograd.grad(buggy, z_t)[0].abs().max() > 0
    (gradient,) = torch.autograd.grad(right, z_s)
    by_hand = soft_distillation_backward(z_s.detach().numpy(), z_t.detach().numpy(), 3.0)["dZ_s"]
    np.testing.assert_allclose(gradient.numpy(), by_hand, atol=1e-12)


def test_mixing_exercises_do_what_the_library_does():
    """With the library's own draws of λ, place and partners."""
    generator, x = torch.Generator(), torch.rand(6, 1, 9, 8)
    y = augmentation.one_hot(torch.arange(6) % 3, 3)
    for seed in range(5):
        generator.manual_seed(seed)
        mixed, labels = augmentation.mixup(x, y, 0.8, generator)
        generator.manual_seed(seed)
        lam = np.full(6, augmentation.sample_beta(0.8, generator), dtype=np.float32)
        partner = torch.randperm(6, generator=generator).numpy()
        found = exercise.mixup.reference(x.numpy(), y.numpy(), lam, partner)
        np.testing.assert_allclose(found[0], mixed, atol=1e-6)
        np.testing.assert_allclose(found[1], labels, atol=1e-6)

        generator.manual_seed(seed)
        mixed, labels = augmentation.cutmix(x, y, 1.0, generator)
        generator.manual_seed(seed)
        lam = augmentation.sample_beta(1.0, generator)
        row = torch.randint(9, (), generator=generator).item()
        column = torch.randint(8, (), generator=generator).item()
        partner = torch.randperm(6, generator=generator).numpy()
        found = exercise.cutmix.reference(x.numpy(), y.numpy(), lam, (row, column), partner)
        np.testing.assert_allclose(found[0], mixed, atol=1e-6)
        np.testing.assert_allclose(found[1], labels, atol=1e-6)


def test_a_class_without_a_share_counts_nothing_at_any_logit():
    Z, y = np.array([[0.0, -np.inf, 0.0]]), np.array([[0.5, 0.0, 0.5]])
    assert cross_entropy(Z, y) == pytest.approx(np.log(2))


@pytest.mark.parametrize("function", [cross_entropy, cross_entropy_backward])
def test_numbers_of_classes_are_no_distributions(function):
    with pytest.raises(ValueError, match=r"labels are \(3,\), expected \(3, 3\)"):
        function(np.zeros((3, 3)), np.array([0, 1, 2]))
