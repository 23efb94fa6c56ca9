"""What must be true of PointNet, whatever its weights."""

import pytest
import torch

from tutorial_lib.models.pose.pointnet import (
    AlignedPointNet,
    PointNet,
    PointNetSegmenter,
    TNet,
    critical_points,
    orthogonality,
    upper_bound_shape,
)

WIDTHS, HIDDEN = (8, 12, 20), (9, 6)
TIGHT = dict(rtol=1e-10, atol=1e-10)


def scrambled(model, seed=0):
    """In float64 and testing mode, and no number as it was at the start."""
    generator = torch.Generator().manual_seed(seed)
    for name, x in model.double().state_dict().items():
        if x.is_floating_point():
            x += (0.5 if "var" in name else 0.3) * torch.rand(x.shape, generator=generator).double()
    return model.eval()


def clouds(B=2, N=50, C=3):
    generator = torch.Generator().manual_seed(B + N)
    return 2 * torch.rand(B, N, C, generator=generator, dtype=torch.float64) - 1


def shuffled(x):
    order = torch.randperm(x.shape[1], generator=torch.Generator().manual_seed(3))
    return x[:, order], order


MODELS = {
    "PointNet": lambda: PointNet(4, WIDTHS, HIDDEN),
    "AlignedPointNet": lambda: AlignedPointNet(4, (WIDTHS, HIDDEN), widths=WIDTHS, hidden=HIDDEN),
}


@pytest.mark.parametrize("name", MODELS)
def test_order_and_duplicates_change_nothing(name):
    model, x = scrambled(MODELS[name]()), clouds()
    logits = model(x)
    assert logits.shape == (2, 4)
    torch.testing.assert_close(model(shuffled(x)[0]), logits, **TIGHT)
    torch.testing.assert_close(model(torch.cat([x, x[:, :7]], 1)), logits, **TIGHT)
    assert (model(x[:, :25]) - logits).abs().max() > 1e-3  # but the points count


def test_order_changes_nothing_exactly_where_arithmetic_is_exact():
    model = MODELS["PointNet"]().eval()
    x = clouds().mul(8).round().float()
    with torch.no_grad():
        for parameter in model.mlp.parameters():
            parameter.mul_(8).round_()
    pooled = model.mlp(x).amax(1)
    assert torch.equal(model.mlp(shuffled(x)[0]).amax(1), pooled)


def test_the_formula_in_loops():
    model, x = scrambled(MODELS["PointNet"]()), clouds()
    for cloud, logits in zip(x, model(x)):
        maximum = None
        for point in cloud:
            h = model.mlp(point[None])[0]
            maximum = h if maximum is None else torch.maximum(maximum, h)
        torch.testing.assert_close(model.head(maximum[None])[0], logits, **TIGHT)


def test_only_critical_points_matter():
    model, x = scrambled(MODELS["PointNet"]()), clouds(1, 200)
    critical = critical_points(model, x[0])
    assert 1 < len(critical) <= WIDTHS[-1] and torch.equal(critical, critical.unique())
    torch.testing.assert_close(model(x[:, critical]), model(x), **TIGHT)
    for i in critical:  # and each of them does
        rest = critical[critical != i]
        assert (model.mlp(x[0, rest]).amax(0) < model.mlp(x[0]).amax(0) - 1e-12).any()


def test_the_upper_bound_shape_is_all_that_may_join():
    model, x, candidates = scrambled(MODELS["PointNet"]()), clouds(1, 30), clouds(1, 5000)[0]
    may = upper_bound_shape(model, x[0], candidates)
    assert 0 < may.sum() < len(may)
    joined = torch.cat([x, candidates[None, may]], 1)
    torch.testing.assert_close(model(joined), model(x), **TIGHT)
    maximum = model.mlp(x[0]).amax(0)
    assert (model.mlp(candidates[~may][:50]) > maximum).any(-1).all()
    assert upper_bound_shape(model, x[0], x[0]).all()


def test_a_tnet_starts_as_the_identity_and_is_a_function_of_the_set():
    tnet, x = TNet(3, WIDTHS, HIDDEN).eval(), clouds().float()
    torch.testing.assert_close(tnet(x), torch.eye(3).expand(2, 3, 3))
    tnet, x = scrambled(tnet), clouds()
    torch.testing.assert_close(tnet(shuffled(x)[0]), tnet(x), **TIGHT)
    assert (tnet(x)[0] - tnet(x)[1]).abs().max() > 1e-4


def test_orthogonality_is_zero_for_rotations_only():
    a = torch.tensor([[0.6, -0.8], [0.8, 0.6]])
    assert orthogonality(a[None]) < 1e-12
    stretched = torch.stack([a, torch.diag(torch.tensor([2.0, 1]))])
    assert orthogonality(stretched) == pytest.approx(9 / 2)  # (1 - 4)², a mean of two


def test_alignment_returns_the_features_matrix():
    model, x = MODELS["AlignedPointNet"](), clouds().float()
    logits, matrix = model.eval()(x, return_matrix=True)
    torch.testing.assert_close(matrix, torch.eye(8).expand(2, 8, 8))
    plain = MODELS["PointNet"]().eval()
    plain.load_state_dict({k: v for k, v in model.state_dict().items() if "align" not in k})
    torch.testing.assert_close(plain(x), logits)  # identities change nothing
    model.train()
    logits, matrix = model(x, return_matrix=True)
    (logits.sum() + orthogonality(matrix + 0.1)).backward()
    assert all(p.grad is not None for p in model.parameters())


def test_segmentation_follows_the_order_and_sees_the_whole():
    model = scrambled(PointNetSegmenter(5, WIDTHS, (10, 7), channels=4))
    x = clouds(2, 30, 4)
    logits = model(x)
    assert logits.shape == (2, 30, 5)
    moved, order = shuffled(x)
    torch.testing.assert_close(model(moved), logits[:, order], **TIGHT)
    other = torch.cat([x[:, :1], clouds(2, 29, 4)], 1)  # the same point in another cloud
    assert (model(other)[:, 0] - logits[:, 0]).abs().max() > 1e-4


@pytest.mark.parametrize("name", [*MODELS, "segmenter"])
def test_it_trains_and_every_weight_takes_part(name):
    make = MODELS.get(name, lambda: PointNetSegmenter(4, WIDTHS, (10, 7)))
    torch.manual_seed(0)
    model, x = make(), clouds(6, 20).float()
    logits = model(x)
    logits.square().sum().backward()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize("name", [*MODELS, "segmenter"])
def test_every_tensor_is_made_where_the_cloud_is(name):
    """On a device without memory: what was made on the CPU by mistake raises there."""
    model = MODELS.get(name, lambda: PointNetSegmenter(4, WIDTHS, (10, 7)))().to("meta")
    x = clouds().float().to("meta")
    logits = model.train()(x)
    assert logits.device.type == "meta" and logits.shape[-1] == 4
    assert orthogonality(torch.zeros(2, 3, 3, device="meta")).device.type == "meta"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("name", MODELS)
def test_a_gpu_gives_the_same(name):
    model, x = scrambled(MODELS[name]()), clouds()
    torch.testing.assert_close(model.cuda()(x.cuda()).cpu(), model.cpu()(x), rtol=1e-8, atol=1e-8)
