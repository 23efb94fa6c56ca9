"""TNT, Twins, CAT and RegionViT against numbers of public implementations.

The weights of `filled` were copied by name into TNT and Twins of timm 1.0.31 and into the authors'
own CAT (github.com/linhezheng19/CAT) and RegionViT (github.com/IBM/RegionViT), which then ran in
float64. TNT was built with legacy=False and qkv_bias=True, RegionViT with patch_conv_type="1conv".
Theirs and ours were less than 3e-15 apart; here are eight decimals of theirs.
"""

import pytest
import torch
from deterministic_weights import answers, filled, numbers

from tutorial_lib.models.backbones.cat import CAT
from tutorial_lib.models.backbones.regionvit import RegionViT
from tutorial_lib.models.backbones.tnt import TNT
from tutorial_lib.models.backbones.twins import Twins

TWINS = dict(dims=(4, 8), depths=(3, 2), heads=(2, 2), summary=(2, 1), ratio=(2, 3))
CASES = {  # model, side of the images, logits (2, 3), gradient at the first columns of an image
    "TNT": (
        lambda: TNT(16, 8, 2, 3, 12, 2, 3, 24, stride=4, inner_dim=4, inner_heads=2),
        16,
        [[-0.08825643, -1.99552615, 0.63389924], [0.48742993, -3.84757085, 0.48728541]],
        [0.22021619, -0.43117046, -0.38133684, 0.20696114, 0.15253375],
    ),
    "Twins-SVT": (
        lambda: Twins(2, 3, 2, windows=(4, 2), **TWINS),
        16,
        [[0.20155291, -0.07407078, -0.81685965], [0.17516918, -0.02607425, -0.75123284]],
        [-0.06756284, -0.21423543, -0.17663883, 0.02105044, -0.0748791],
    ),
    "Twins-PCPVT": (
        lambda: Twins(2, 3, 2, windows=None, **TWINS),
        16,
        [[0.21491415, -0.05449256, -0.84016895], [0.17526426, -0.03212096, -0.67708305]],
        [-0.07777502, -0.16651491, -0.16371102, 0.02192969, -0.09042657],
    ),
    "CAT": (
        lambda: CAT(2, 3, 2, 4, patch=2, depths=(1, 2), heads=(2, 4), ratio=2),
        16,
        [[0.05108914, 1.67672796, -0.30825025], [0.09433391, 1.62309144, -0.33191076]],
        [0.01538021, 0.00444418, 0.05894614, 0.13466995, 0.04645794],
    ),
    "RegionViT": (
        lambda: RegionViT(2, 3, 2, 3, dims=(4, 8), depths=(2, 1), heads=(2, 4), ratio=2),
        24,
        [[-0.01727503, -1.15665001, 0.05742102], [-0.0277107, -1.20683754, -0.02050012]],
        [-0.01152046, -0.00760438, -0.00464044, 0.02021594, -0.00194169],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_logits_and_gradients_of_public_code(name):
    make, side, logits, gradient = CASES[name]
    found, at_images = answers(filled(make()), numbers("images", (2, 2, side, side)))
    expected = torch.tensor(logits, dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-8)
    expected = torch.tensor(gradient, dtype=torch.float64)
    torch.testing.assert_close(at_images[0, :5], expected, rtol=0, atol=2e-8)
