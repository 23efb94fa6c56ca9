"""Post-training quantization of a ViT: its parts against their formulas, and the whole."""

import itertools

import pytest
import torch

from tutorial_lib.layers.quantization import fake_quantize
from tutorial_lib.models.backbones.vit import ViT
from tutorial_lib.models.efficient import mixed_precision, ptq_vit, quantized_vit


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = ViT(8, 4, 2, 3, dim=8, depth=2, heads=2, hidden=12).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


@pytest.fixture(scope="module")
def images():
    return torch.randn(6, 2, 8, 8, generator=torch.Generator().manual_seed(1))


def test_products_that_are_not_quantized_change_nothing(model, images):
    made = quantized_vit.with_products(model)
    torch.testing.assert_close(made(images), model(images), rtol=1e-5, atol=1e-5)
    assert len(quantized_vit.products(made)) == 2 * (6 + 2) + 2  # two layers, patches, head
    maps = quantized_vit.attention_maps(made, images)
    for found, wanted in zip(maps, model.weights(images), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)


def test_min_max_clips_nothing_and_more_bits_are_nearer(model, images):
    seen = quantized_vit.record(quantized_vit.with_products(model), images)
    errors = []
    for bits in (4, 6, 8, 12):
        made = quantized_vit.set_min_max(quantized_vit.with_products(model), seen, bits)
        for name, part in quantized_vit.products(made).items():
            for x, s in zip(seen[name], (part.scale_a, part.scale_b)):
                assert (fake_quantize(x, s, bits=bits) - x).abs().max() <= s / 2 * (1 + 1e-4)
        errors.append((made(images) - model(images)).norm().item())
    assert sorted(errors, reverse=True) == errors


def test_similarity_is_pearsons_correlation():
    found, wanted = torch.randn(3, 4, 5), torch.randn(3, 4, 5)
    expected = [
        torch.corrcoef(torch.stack([f, w]))[0, 1]
        for f, w in zip(found.flatten(1), wanted.flatten(1))
    ]
    torch.testing.assert_close(ptq_vit.similarity(found, wanted), torch.stack(expected).mean())
    torch.testing.assert_close(ptq_vit.similarity(3 * wanted + 1, wanted), torch.tensor(1.0))


@pytest.mark.parametrize("theta", [0.0, 0.1])
def test_ranking_loss_is_the_sum_over_pairs(theta):
    found, wanted = torch.randn(2, 3, 5).softmax(-1), torch.randn(2, 3, 5).softmax(-1)
    wanted[0, 0, 1] = wanted[0, 0, 0]  # a tie
    total = 0.0
    for f, w in zip(found.reshape(-1, 5), wanted.reshape(-1, 5)):
        for j, k in itertools.combinations(range(5), 2):
            total += max(0.0, theta - ((f[j] - f[k]) * torch.sign(w[j] - w[k])).item())
    assert ptq_vit.ranking_loss(found, wanted, theta).item() == pytest.approx(total / 6, rel=1e-5)


def test_violations_are_pairs_that_changed_places():
    wanted = torch.tensor([[0.1, 0.2, 0.3, 0.4]])
    assert ptq_vit.order_violations(wanted, wanted) == 0
    assert ptq_vit.order_violations(wanted.flip(-1), wanted) == 1
    assert ptq_vit.order_violations(wanted[:, [1, 0, 2, 3]], wanted) == pytest.approx(1 / 6)
    assert ptq_vit.order_violations(torch.ones(1, 4), wanted) == 0
    assert ptq_vit.ranking_loss(wanted, wanted) == 0


def test_scales_are_searched_in_turns():
    """Each is the best of its candidates while the other stays, by brute force."""
    torch.manual_seed(0)
    a, b = torch.randn(2, 6, 8) ** 3, torch.randn(8, 5)
    part = quantized_vit.Product()
    part.scale_a.fill_(a.abs().max() / 7)
    part.scale_b.fill_(b.abs().max() / 7)
    starts, shares = (part.scale_a.clone(), part.scale_b.clone()), torch.linspace(0.5, 1.2, 20)

    def score(s_a, s_b):
        found = fake_quantize(a, s_a, bits=4) @ fake_quantize(b, s_b, bits=4)
        return ptq_vit.similarity(found, a @ b)

    before = score(*starts)
    wanted_b = max(starts[1] * shares, key=lambda s: score(starts[0], s))
    wanted_a = max(starts[0] * shares, key=lambda s: score(s, wanted_b))
    ptq_vit.search_scales(part, a, b, 4, lambda found: ptq_vit.similarity(found, a @ b), rounds=1)
    assert (part.scale_a, part.scale_b) == (wanted_a, wanted_b)
    assert score(wanted_a, wanted_b) > before


def test_a_corrected_bias_leaves_no_mean_error(model, images):
    linear = quantized_vit.ProductLinear(model.head)
    x, linear.product.bits = torch.randn(4, 3, 8), 3
    linear.product.scale_a.fill_(0.5)
    linear.product.scale_b.fill_(0.2)
    ptq_vit.correct_bias(linear, x, model.head.weight.mT)
    error = (linear(x) - model.head(x)).flatten(0, 1).mean(0)
    torch.testing.assert_close(error, torch.zeros(3), rtol=0, atol=1e-6)


def test_the_whole_is_more_similar_than_min_max(model, images):
    fresh = torch.randn(20, 2, 8, 8)
    seen = quantized_vit.record(quantized_vit.with_products(model), images)
    plain = quantized_vit.set_min_max(quantized_vit.with_products(model), seen, 4)
    found = ptq_vit.post_training_quantize(model, images, 4, gamma=0.1, theta=0.01)
    assert not torch.equal(found.head.bias, model.head.bias)
    wanted = model(fresh)
    assert ptq_vit.similarity(found(fresh), wanted) > ptq_vit.similarity(plain(fresh), wanted)


def test_bits_go_where_they_are_worth_most():
    costs = {
        "a": {2: 9.0, 4: 1.0, 8: 0.0},
        "b": {2: 5.0, 4: 4.0, 8: 0.0},
        "c": {2: 1.0, 4: 0.5, 8: 0.1},
    }
    sizes = {"a": 10, "b": 20, "c": 5}
    for mean in (2, 3, 4.5, 6, 8):
        found = mixed_precision.allocate(costs, sizes, mean)
        choices = itertools.product((2, 4, 8), repeat=3)
        best = min(
            sum(costs[block][bits] for block, bits in zip(costs, chosen))
            for chosen in choices
            if sum(sizes[block] * bits for block, bits in zip(costs, chosen)) <= mean * 35
        )
        assert sum(costs[block][bits] for block, bits in found.items()) == pytest.approx(best)
    with pytest.raises(ValueError, match="no choice of bits"):
        mixed_precision.allocate(costs, sizes, 1)


def test_fewer_bits_hurt_a_block_more(model, images):
    found = mixed_precision.sensitivities(model, images, (2, 4, 8))
    assert list(found["logits"]) == mixed_precision.blocks(model)
    for of_bits in [*found["logits"].values(), *found["nuclear norm"].values()]:
        assert of_bits[2] > of_bits[4] > of_bits[8] > 0
    found = found["logits"]
    sizes = {block: mixed_precision.weights_of(model, block) for block in found}
    assert sizes["encoder.0.attention"] == 4 * 64 and sizes["encoder.1.feed_forward"] == 2 * 96
    bits = mixed_precision.bits_of_products(model, dict.fromkeys(found, 4))
    assert bits["head.product"] == 8 and bits["encoder.1.attention.scores"] == 4
    ptq_vit.post_training_quantize(model, images, bits, gamma=0, candidates=3, rounds=1)


def test_the_nuclear_norm_is_the_sum_of_singular_values():
    Y = torch.diag(torch.tensor([3.0, 2.0, 0.0]))[None]
    assert mixed_precision.nuclear_norm(Y).item() == pytest.approx(5)
