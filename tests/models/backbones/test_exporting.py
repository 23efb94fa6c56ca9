"""Models leave the notebook: exported with a batch of any size, traced, differentiated twice."""

import warnings

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from tutorial_lib.layers.transformer import EncoderLayer
from tutorial_lib.models.backbones.deit import DeiT
from tutorial_lib.models.backbones.t2t import T2TModule, T2TViT, TokenPerformer, TokenTransformer
from tutorial_lib.models.backbones.vit import ViT


def t2t(token_layer=TokenTransformer):
    embed = T2TModule(1, ((3, 2, 1), (2, 2, 0)), 2, 4, token_layer)
    return T2TViT(embed, [EncoderLayer(4, 2, 4)], 4, 3)


MODELS = {
    "ViT": lambda: ViT(8, 4, 1, 3, dim=4, depth=1, heads=2, hidden=4),
    "DeiT": lambda: DeiT(8, 4, 1, 3, dim=4, depth=1, heads=2, hidden=4),
    "T2T": t2t,
    "T2T, Performer": lambda: t2t(TokenPerformer),
}
TWO, FIVE = torch.randn(2, 1, 8, 8), torch.randn(5, 1, 8, 8)


@pytest.mark.parametrize("name", ["ViT", "DeiT", "T2T"])
def test_an_exported_model_takes_a_batch_of_any_size(name):
    model = MODELS[name]().eval()
    any_batch = ({0: torch.export.Dim("B")},)
    exported = torch.export.export(model, (TWO,), dynamic_shapes=any_batch).module()
    torch.testing.assert_close(exported(FIVE), model(FIVE))


@pytest.mark.parametrize("name", MODELS)
def test_a_traced_model_takes_a_batch_of_any_size(name):
    model = MODELS[name]().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of checks that a trace does not keep
        traced = torch.jit.trace(model, TWO)
    torch.testing.assert_close(traced(FIVE), model(FIVE))


def test_the_plain_attention_has_a_second_derivative():
    """The fused one of the CPU has none; when that changes, `attend` need not speak of it."""
    model, images = t2t(), TWO.clone().requires_grad_()

    def slope():
        (gradient,) = torch.autograd.grad(model(images).sum(), images, create_graph=True)
        gradient.square().sum().backward()

    with pytest.raises(RuntimeError, match="derivative .* is not implemented"):
        slope()
    with sdpa_kernel(SDPBackend.MATH):
        slope()
    assert images.grad.abs().sum() > 0


@pytest.mark.parametrize("name", MODELS)
def test_a_single_image_is_refused(name):
    with pytest.raises(ValueError, match=r"images are \(1, 8, 8\), expected \(B, C, H, W\)"):
        MODELS[name]()(TWO[0])
