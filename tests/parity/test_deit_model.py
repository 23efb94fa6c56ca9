"""Our DeiT against Hugging Face's with the weights copied over: logits, gradients, checkpoints."""

import pytest
import torch
from safetensors.torch import load_file
from transformers import DeiTConfig, DeiTForImageClassificationWithTeacher

from tutorial_lib.models.backbones.deit import DeiT, from_huggingface

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}
SIZES = [  # image_size, patch, channels, classes, dim, depth, heads, hidden
    (8, 4, 1, 2, 8, 1, 1, 12),
    (12, 4, 3, 5, 12, 3, 3, 20),
    (7, 7, 2, 3, 6, 2, 2, 5),
]


def public_deit(sizes):
    """A randomly initialised one, no weight at its start value: zeros would hide an exchange."""
    image_size, patch, channels, classes, dim, depth, heads, hidden = sizes
    config = DeiTConfig(
        image_size=image_size,
        patch_size=patch,
        num_channels=channels,
        num_labels=classes,
        hidden_size=dim,
        num_hidden_layers=depth,
        num_attention_heads=heads,
        intermediate_size=hidden,
        layer_norm_eps=1e-6,
    )
    torch.manual_seed(0)
    model = DeiTForImageClassificationWithTeacher(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_equals_hugging_face_forward_and_backward(sizes, dtype):
    theirs, ours = public_deit(sizes).to(dtype), DeiT(*sizes).to(dtype)
    ours.load_state_dict(from_huggingface(theirs.state_dict()))
    images = torch.randn(3, sizes[2], sizes[0], sizes[0], dtype=dtype)
    inputs = [images.clone().requires_grad_() for _ in range(2)]
    logits, answer = ours(inputs[0]), theirs(inputs[1])
    expected = answer.cls_logits, answer.distillation_logits
    tolerance = dict(rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
    torch.testing.assert_close(logits, expected, **tolerance)
    torch.testing.assert_close(ours.predict(images), answer.logits, **tolerance)

    dlogits = [torch.randn_like(z) for z in logits]
    torch.autograd.backward(logits, dlogits)
    torch.autograd.backward(expected, dlogits)
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad, **tolerance)
    gradients = from_huggingface({name: p.grad for name, p in theirs.named_parameters()})
    assert gradients.keys() == dict(ours.named_parameters()).keys()
    for name, parameter in ours.named_parameters():
        # Gradients add up over tokens and images, so their rounding is that of the largest one.
        scale = max(1.0, gradients[name].abs().max().item())
        torch.testing.assert_close(
            parameter.grad / scale, gradients[name] / scale, **tolerance, msg=name
        )


def test_as_many_parameters_as_hugging_face():
    theirs, ours = public_deit(SIZES[1]), DeiT(*SIZES[1])
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in theirs.parameters())


def test_a_saved_checkpoint_loads(tmp_path):
    theirs, ours = public_deit(SIZES[1]), DeiT(*SIZES[1])
    theirs.save_pretrained(tmp_path)
    ours.load_state_dict(from_huggingface(load_file(tmp_path / "model.safetensors")))
    images = torch.randn(2, 3, 12, 12)
    torch.testing.assert_close(ours.predict(images), theirs(images).logits, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rows, columns", [(6, 6), (2, 5)])
def test_an_image_of_another_size_equals_hugging_faces(rows, columns):
    theirs, ours = public_deit(SIZES[1]), DeiT(*SIZES[1])
    ours.load_state_dict(from_huggingface(theirs.state_dict()))
    images = torch.randn(2, 3, 4 * rows, 4 * columns)
    expected = theirs(images, interpolate_pos_encoding=True).logits
    torch.testing.assert_close(ours.predict(images), expected, rtol=1e-5, atol=1e-5)


def test_an_unknown_and_a_missing_name_are_refused():
    state = public_deit(SIZES[0]).state_dict()
    for name in ("deit.pooler.dense.weight", "vit.layernorm.weight", "classifier.weight", "weight"):
        told = f"^'{name}' is no weight of Hugging Face's DeiTForImageClassificationWithTeacher$"
        with pytest.raises(ValueError, match=told):
            from_huggingface({**state, name: torch.zeros(1)})
    short = {name: x for name, x in state.items() if "distillation_token" not in name}
    with pytest.raises(KeyError, match="distillation_token"):
        from_huggingface(short)
