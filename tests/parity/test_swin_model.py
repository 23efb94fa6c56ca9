"""Our Swin against Hugging Face's with the weights copied over: logits, gradients, checkpoints."""

import pytest
import torch
from safetensors.torch import load_file
from transformers import SwinConfig, SwinForImageClassification

from tutorial_lib.models.backbones.swin import Swin, from_huggingface

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}
SIZES = [  # image side, patch, window, channels, classes, dim, depths, heads
    (12, 1, 3, 1, 2, 4, (2, 3), (1, 2)),
    (32, 2, 4, 3, 5, 6, (2, 2, 2), (3, 2, 4)),  # the last grid is one window: nothing is moved
]


def public_swin(sizes):
    """A randomly initialised one, no weight at its start value: zeros would hide an exchange."""
    side, patch, window, channels, classes, dim, depths, heads = sizes
    config = SwinConfig(
        image_size=side,
        patch_size=patch,
        window_size=window,
        num_channels=channels,
        num_labels=classes,
        embed_dim=dim,
        depths=depths,
        num_heads=heads,
    )
    torch.manual_seed(0)
    model = SwinForImageClassification(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_equals_hugging_face_forward_and_backward(sizes, dtype):
    theirs, ours = public_swin(sizes).to(dtype), Swin(*sizes[1:]).to(dtype)
    # Theirs takes the softmax in float32 if it is asked to store the weights; this one does not.
    theirs.set_attn_implementation("sdpa")
    ours.load_state_dict(from_huggingface(theirs.state_dict()))
    images = torch.randn(3, sizes[3], sizes[0], sizes[0], dtype=dtype)
    inputs = [images.clone().requires_grad_() for _ in range(2)]
    logits, expected = ours(inputs[0]), theirs(inputs[1]).logits
    tolerance = dict(rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
    torch.testing.assert_close(logits, expected, **tolerance)

    dlogits = torch.randn_like(logits)
    logits.backward(dlogits)
    expected.backward(dlogits)
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad, **tolerance)
    gradients = from_huggingface({name: p.grad for name, p in theirs.named_parameters()})
    assert gradients.keys() == dict(ours.named_parameters()).keys()
    for name, parameter in ours.named_parameters():
        # Gradients add up over tokens and images, so their rounding is that of the largest one.
        scale = max(1.0, gradients[name].abs().max().item())
        torch.testing.assert_close(
            parameter.grad / scale, gradients[name] / scale, **tolerance, msg=name
        )


def test_a_saved_checkpoint_loads(tmp_path):
    theirs, ours = public_swin(SIZES[0]), Swin(*SIZES[0][1:])
    theirs.save_pretrained(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    assert any(".attention.self.query." in name for name in state)  # the names of old files
    constant = "swin.encoder.layers.0.blocks.0.attention.self.relative_position_index"
    ours.load_state_dict(from_huggingface({**state, constant: torch.zeros(9, 9)}))
    images = torch.randn(2, 1, 12, 12)
    torch.testing.assert_close(ours(images), theirs(images).logits, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["swin.pooler.weight", "swin.encoder.layers.0.blocks.0.x.bias"])
def test_an_unknown_name_is_refused(name):
    with pytest.raises(ValueError, match=f"'{name}' is no weight of Hugging Face's"):
        from_huggingface({name: torch.zeros(1)})
