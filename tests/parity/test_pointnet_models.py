"""PointNet and PointNet++ against yanx27/Pointnet_Pointnet2_pytorch (commit eb64fe0).

The numbers below are what that code gives with the weights of `filled` copied over and its sampling
started at the cloud's first point, which here is the one farthest from the mean: log-probabilities
and the gradient of their sum, weighted by `weights`, by the points. In float64, testing mode, every
ball smaller than its limit.
"""

import pytest
import torch

from tutorial_lib.models.pose.pointnet import AlignedPointNet, PointNet, PointNetSegmenter
from tutorial_lib.models.pose.pointnet2 import (
    PointNet2Segmenter,
    SetAbstraction,
    multi_scale,
    single_scale,
)


def filled(model):
    """A model whose every number is from `torch.rand`, which is the same on all machines."""
    generator = torch.Generator().manual_seed(19)
    with torch.no_grad():
        for name, x in model.state_dict().items():
            if not x.is_floating_point():
                continue
            random = torch.rand(x.shape, generator=generator, dtype=torch.float64)
            if x.ndim == 2:
                random = (random - 0.5) * (12 / x.shape[1]) ** 0.5  # variance 1 / fan-in
            else:
                random += 0.5 if name.endswith(("weight", "var")) else -0.5
            x.copy_(random)
    return model.eval()


def segmenter():
    levels = [
        (9, 400, 0.15, 32, (32, 32, 64)),
        (64, 100, 0.3, 32, (64, 64, 128)),
        (128, 40, 0.6, 32, (128, 128, 256)),
        (256, 16, 0.9, 32, (256, 256, 512)),
    ]
    back = [(256, 256), (256, 256), (256, 128), (128, 128, 128)]
    return PointNet2Segmenter(6, [SetAbstraction(*level) for level in levels], back, channels=9)


def cloud(channels):
    """One cloud (1, 600, channels); its first point is the farthest at every level."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(1, 600, channels, generator=generator, dtype=torch.float64)
    x = 2.4 * (x - 0.5)
    x[:, 0, :3] = 1.5
    return x


def weights(logits):
    generator = torch.Generator().manual_seed(1)
    return torch.rand(logits.shape, generator=generator, dtype=torch.float64)


MODELS = {  # name -> a fresh model, channels of its points
    "PointNet": (lambda: PointNet(7), 3),
    "AlignedPointNet": (lambda: AlignedPointNet(7), 3),
    "PointNetSegmenter": (lambda: PointNetSegmenter(6, channels=9), 9),
    "single_scale": (lambda: single_scale(7), 3),
    "multi_scale": (lambda: multi_scale(7), 3),
    "PointNet2Segmenter": (segmenter, 9),
}
EXPECTED = {  # name -> summary
    "PointNet": (
        [-2.15083651, -2.06662785, -1.04426246, -1.95006772, -3.22488429, -1.688637, -3.26350958],
        [2.21283531, 0.0864465667],
    ),
    "AlignedPointNet": (
        [-20.7642713, -7.0148823, -0.0481043246, -3.7844278, -6.02480071, -3.86674772, -13.7961855],
        [125.44429, 10.9423153],
    ),
    "PointNetSegmenter": (
        [-1.55787712, -1.83041102, -2.25373939, -1.30694629, -1.75556048, -2.53070797],
        [2750.83457, 30.335046],
    ),
    "single_scale": (
        [-1.65165249, -1.84835936, -2.45755769, -1.61019231, -1.7109443, -2.52253535, -2.26021698],
        [0.440704501, 0.000171838829],
    ),
    "multi_scale": (
        [-2.82910074, -2.3017803, -2.41678097, -1.89463311, -1.60724008, -1.36457089, -1.92866986],
        [0.908225572, -0.020816716],
    ),
    "PointNet2Segmenter": (
        [-1.44425355, -2.30552626, -1.85965241, -2.46192317, -1.11757961, -2.35661758],
        [156.554292, -2.96438787],
    ),
}


def run(name):
    """Log-probabilities, and the gradient by the points."""
    make, channels = MODELS[name]
    model, x = filled(make().double()), cloud(channels).requires_grad_()
    logits = model(x[..., :3], x) if name == "PointNet2Segmenter" else model(x)
    found = logits.log_softmax(-1)
    (found * weights(found)).sum().backward()
    return found.detach(), x.grad


def summary(found, gradient):
    """A few numbers that all others move: (numbers of the answer, numbers of the gradient)."""
    ramp = torch.linspace(-1, 1, gradient.numel(), dtype=torch.float64).view_as(gradient)
    answer = found[0] if found.ndim == 2 else found[0].mean(0)
    return answer.tolist(), [gradient.abs().sum().item(), (gradient * ramp).sum().item()]


@pytest.mark.parametrize("name", MODELS)
def test_equals_the_public_code_forward_and_backward(name):
    answer, gradient = summary(*run(name))
    assert answer == pytest.approx(EXPECTED[name][0], rel=1e-6)
    assert gradient == pytest.approx(EXPECTED[name][1], rel=1e-5)
