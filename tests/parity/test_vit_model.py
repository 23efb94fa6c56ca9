"""Our ViT against Hugging Face's with the weights copied over: logits, gradients, checkpoints."""

import pytest
import torch
from safetensors.torch import load_file
from transformers import ViTConfig, ViTForImageClassification

from tutorial_lib.layers.patches import interpolate_positions
from tutorial_lib.models.backbones.vit import ViT, from_huggingface

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}
SIZES = [  # image_size, patch, channels, classes, dim, depth, heads, hidden
    (8, 4, 1, 2, 8, 1, 1, 12),
    (12, 4, 3, 5, 12, 3, 3, 20),
    (7, 7, 2, 3, 6, 2, 2, 5),
]


def public_vit(sizes, eps=1e-6):
    """A randomly initialised one, no weight at its start value: zeros would hide an exchange."""
    image_size, patch, channels, classes, dim, depth, heads, hidden = sizes
    config = ViTConfig(
        image_size=image_size,
        patch_size=patch,
        num_channels=channels,
        num_labels=classes,
        hidden_size=dim,
        num_hidden_layers=depth,
        num_attention_heads=heads,
        intermediate_size=hidden,
        layer_norm_eps=eps,
    )
    torch.manual_seed(0)
    model = ViTForImageClassification(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_equals_hugging_face_forward_and_backward(sizes, dtype):
    theirs, ours = public_vit(sizes).to(dtype), ViT(*sizes).to(dtype)
    ours.load_state_dict(from_huggingface(theirs.state_dict()))
    images = torch.randn(3, sizes[2], sizes[0], sizes[0], dtype=dtype)
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


def test_attention_weights_equal_hugging_faces():
    theirs, ours = public_vit(SIZES[1]), ViT(*SIZES[1])
    ours.load_state_dict(from_huggingface(theirs.state_dict()))
    theirs.set_attn_implementation("eager")
    images = torch.randn(2, 3, 12, 12)
    expected = theirs(images, output_attentions=True).attentions
    for found, wanted in zip(ours.weights(images), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)


def test_a_saved_checkpoint_loads(tmp_path):
    theirs, ours = public_vit(SIZES[1]), ViT(*SIZES[1])
    theirs.save_pretrained(tmp_path)
    ours.load_state_dict(from_huggingface(load_file(tmp_path / "model.safetensors")))
    images = torch.randn(2, 3, 12, 12)
    torch.testing.assert_close(ours(images), theirs(images).logits, rtol=1e-5, atol=1e-5)


LAYER = [
    "attention.attention.query",
    "attention.attention.key",
    "attention.attention.value",
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
    "layernorm_before",
    "layernorm_after",
]


def published_names(depth):
    """The names in the file of google/vit-base-patch16-224."""
    yield from ("vit.embeddings.cls_token", "vit.embeddings.position_embeddings")
    modules = ["vit.embeddings.patch_embeddings.projection", "vit.layernorm", "classifier"]
    modules += [f"vit.encoder.layer.{i}.{name}" for i in range(depth) for name in LAYER]
    yield from (f"{module}.{kind}" for module in modules for kind in ("weight", "bias"))


def test_the_names_of_the_published_checkpoint_are_known():
    sizes = SIZES[1]
    state = from_huggingface({name: torch.zeros(1) for name in published_names(sizes[5])})
    assert state.keys() == ViT(*sizes).state_dict().keys()


@pytest.mark.parametrize("name", ["vit.pooler.dense.weight", "vit.encoder.layer.0.dense.bias", "x"])
def test_an_unknown_name_is_refused(name):
    state = public_vit(SIZES[0]).state_dict()
    with pytest.raises(ValueError, match=f"'{name}' is no weight of Hugging Face's"):
        from_huggingface({**state, name: torch.zeros(1)})


def test_a_missing_name_and_another_size_are_refused():
    state = public_vit(SIZES[0]).state_dict()
    short = {name: tensor for name, tensor in state.items() if name != "vit.embeddings.cls_token"}
    with pytest.raises(RuntimeError, match="Missing key.*class_token"):
        ViT(*SIZES[0]).load_state_dict(from_huggingface(short))
    with pytest.raises(RuntimeError, match="size mismatch"):
        ViT(*SIZES[1]).load_state_dict(from_huggingface(state))


@pytest.mark.parametrize("rows, columns", [(6, 6), (2, 5), (3, 4), (1, 1)])
def test_interpolated_positions_equal_hugging_faces(rows, columns):
    theirs, ours = public_vit(SIZES[1]), ViT(*SIZES[1])
    ours.load_state_dict(from_huggingface(theirs.state_dict()))
    images = torch.randn(2, 3, 4 * rows, 4 * columns)
    tokens = torch.zeros(1, 1 + rows * columns, 12)  # they read its number of tokens only
    expected = theirs.vit.embeddings.interpolate_pos_encoding(tokens, 4 * rows, 4 * columns)[0]
    found = interpolate_positions(ours.positions.table, (3, 3), (rows, columns))
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)
    expected = theirs(images, interpolate_pos_encoding=True).logits
    torch.testing.assert_close(ours(images), expected, rtol=1e-5, atol=1e-5)


def test_eps_is_part_of_published_weights():
    """What another eps costs when tokens are small, as they are after a fresh start."""
    theirs = public_vit(SIZES[1], eps=1e-12)
    with torch.no_grad():
        for name in ("cls_token", "position_embeddings"):
            getattr(theirs.vit.embeddings, name).mul_(1e-3)
        for parameter in theirs.vit.embeddings.patch_embeddings.parameters():
            parameter.mul_(1e-3)
    images = torch.randn(2, 3, 12, 12)
    difference = {}
    for eps in (1e-12, 1e-5):
        ours = ViT(*SIZES[1], eps=eps)
        ours.load_state_dict(from_huggingface(theirs.state_dict()))
        difference[eps] = (ours(images) - theirs(images).logits).abs().max()
    assert difference[1e-12] < 1e-4 < 1e-2 < difference[1e-5]
