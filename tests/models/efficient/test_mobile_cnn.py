"""A separable convolution is a full one; sizes; where the quantizers are put."""

import torch
import torch.nn.functional as F

from tutorial_lib.models.efficient.duq import DuQ, quantize_activations, quantize_weights
from tutorial_lib.models.efficient.inner_layers import inner_layers
from tutorial_lib.models.efficient.mobile_cnn import MobileCNN


def test_depthwise_then_pointwise_is_one_full_convolution():
    torch.manual_seed(0)
    each, mixed = MobileCNN(1, 10, 4).stages[1]
    x = torch.randn(2, 4, 6, 5)
    kernel = mixed[0].weight * each[0].weight.transpose(0, 1)  # (width, channels, 3, 3)
    torch.testing.assert_close(mixed[0](each[0](x)), F.conv2d(x, kernel, padding=1))


def test_shapes_and_how_few_weights():
    model = MobileCNN(1, 10, 8)
    assert model(torch.zeros(2, 1, 28, 28)).shape == (2, 10)
    weights = [layer.weight.numel() for layer in inner_layers(model).values()]
    assert weights == [72, 64, 72, 128, 144, 256, 144, 256]


def test_every_relu_gets_a_quantizer_that_begins_at_its_percentile():
    torch.manual_seed(0)
    model, images = MobileCNN(1, 10, 4), torch.randn(8, 1, 28, 28)
    first = model.eval().stages[0](images)
    size = torch.quantile(first[first > 0], 0.95).item()
    quantize_activations(model, 2, images)
    quantizers = [m for m in model.modules() if isinstance(m, DuQ)]
    assert len(quantizers) == 9  # one for each convolution
    torch.testing.assert_close(F.softplus(quantizers[0].c).item(), size, rtol=1e-5, atol=0)
    assert len(model.stages[0](images).unique()) == 4
    quantize_weights(model, 3)
    assert all(len(layer.weight.unique()) <= 7 for layer in inner_layers(model).values())


def test_a_quantized_weight_is_off_by_half_a_step_or_by_what_is_clipped():
    torch.manual_seed(0)
    model = MobileCNN(1, 10, 4)
    before = {name: layer.weight.detach().clone() for name, layer in inner_layers(model).items()}
    quantize_weights(model, 4)
    for name, layer in inner_layers(model).items():
        largest = before[name].abs().max()
        off = (layer.weight - before[name]).abs()
        inside = before[name].abs() <= 0.9 * largest
        assert off[inside].max() <= 0.9 * largest / 14 + 1e-6
        assert off[~inside].max() <= 0.1 * largest + 1e-6
