"""Checkpoint folders as Hugging Face's models write them, in the course's classes and in others."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    DeiTConfig,
    DeiTForImageClassification,
    DeiTForImageClassificationWithTeacher,
    Dinov2Config,
    Dinov2ForImageClassification,
    Dinov2Model,
    ViTConfig,
    ViTForImageClassification,
    ViTModel,
)

from tutorial_lib.exercises import vit as exercise
from tutorial_lib.models.backbones.hugging_face import load_checkpoint

SIZES = dict(image_size=12, patch_size=4, num_channels=2, num_labels=5, hidden_size=12)
SIZES |= dict(num_hidden_layers=3, num_attention_heads=3)
CLOSE = dict(rtol=1e-5, atol=1e-5)
PUBLISHED = [  # config, model, what else it needs, what ours gives among its answers
    (ViTConfig, ViTForImageClassification, dict(intermediate_size=20), lambda out: out.logits),
    (ViTConfig, ViTModel, dict(intermediate_size=20), lambda out: out.last_hidden_state[:, 0]),
    (
        DeiTConfig,
        DeiTForImageClassificationWithTeacher,
        dict(intermediate_size=20),
        lambda out: torch.stack([out.cls_logits, out.distillation_logits]),
    ),
    (Dinov2Config, Dinov2Model, dict(mlp_ratio=2), lambda out: out.last_hidden_state[:, 0]),
]
BY_NAME = {case[1].__name__: case for case in PUBLISHED}


def save(folder, config, model, more, **changes):
    """A random model with no weight at its start value, written to the folder."""
    torch.manual_seed(0)
    theirs = model(config(**{**SIZES, **more, **changes})).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    theirs.save_pretrained(folder)
    return theirs


def answer(model, images):
    out = model(images)
    return torch.stack(out) if isinstance(out, tuple) else out


@pytest.mark.parametrize("name", BY_NAME)
def test_a_folder_loads_and_equals_the_model_that_wrote_it(name, tmp_path):
    *case, read = BY_NAME[name]
    theirs = save(tmp_path, *case)
    ours = load_checkpoint(tmp_path)
    assert not ours.training
    inputs = [torch.randn(2, 2, 12, 12).requires_grad_() for _ in range(2)]
    inputs[1].data.copy_(inputs[0].data)
    found, expected = answer(ours, inputs[0]), read(theirs(inputs[1]))
    torch.testing.assert_close(found, expected, **CLOSE)

    # The gradient of what stands in front of all layers has gone through all of them.
    d = torch.randn_like(found)
    found.backward(d)
    expected.backward(d)
    embeddings = getattr(theirs, theirs.base_model_prefix, theirs).embeddings
    theirs_first = embeddings.patch_embeddings.projection.weight.grad
    for mine, their in [
        (inputs[0].grad, inputs[1].grad),
        (ours.embed.project.weight.grad, theirs_first),
        (ours.class_token.grad, embeddings.cls_token.grad[0]),
    ]:
        scale = max(1.0, their.abs().max().item())
        torch.testing.assert_close(mine / scale, their / scale, **CLOSE)


@pytest.mark.parametrize("name", BY_NAME)
def test_another_image_size_equals_theirs(name, tmp_path):
    *case, read = BY_NAME[name]
    theirs, images = save(tmp_path, *case), torch.randn(2, 2, 20, 20)
    more = {} if name == "Dinov2Model" else {"interpolate_pos_encoding": True}
    expected = read(theirs(images, **more))
    torch.testing.assert_close(answer(load_checkpoint(tmp_path), images), expected, **CLOSE)
    ours = load_checkpoint(tmp_path, image_size=20)
    torch.testing.assert_close(answer(ours, images), expected, **CLOSE)


@pytest.mark.parametrize("name", ["ViTForImageClassification", "Dinov2Model"])
def test_a_learners_class_takes_it_with_its_eps(name, tmp_path):
    """Theirs knows neither eps nor interpolation."""
    *case, read = BY_NAME[name]
    theirs, images = save(tmp_path, *case, layer_norm_eps=0.1), torch.randn(2, 2, 8, 8)
    ours = load_checkpoint(tmp_path, exercise.VisionTransformer.reference, image_size=8)
    more = {} if name == "Dinov2Model" else {"interpolate_pos_encoding": True}
    torch.testing.assert_close(ours(images), read(theirs(images, **more)), **CLOSE)


def rewrite(folder, **changes):
    file = folder / "config.json"
    config = json.loads(file.read_text(encoding="utf-8")) | changes
    config = {name: value for name, value in config.items() if value is not None}
    file.write_text(json.dumps(config), encoding="utf-8")


@pytest.mark.parametrize(
    "changes, told",
    [
        (dict(model_type="swin"), "of type 'swin', expected vit, deit, dinov2"),
        (dict(model_type=None), "of type None"),
        (dict(model_type="deit"), "do not fit: deit.embeddings.distillation_token"),
        (dict(hidden_act="relu"), "feed-forward network"),
        (dict(use_swiglu_ffn=True), "feed-forward network"),
        (dict(num_attention_heads=None), "config.json has no 'num_attention_heads'"),
    ],
)
def test_another_architecture_is_refused(changes, told, tmp_path):
    save(tmp_path, *PUBLISHED[0][:3])
    rewrite(tmp_path, **changes)
    with pytest.raises(ValueError, match=told):
        load_checkpoint(tmp_path)


def test_pixels_that_do_not_divide_into_patches_are_refused(tmp_path):
    save(tmp_path, *PUBLISHED[0][:3])
    with pytest.raises(ValueError, match="10 pixels do not divide into patches of 4"):
        load_checkpoint(tmp_path, exercise.VisionTransformer.reference, image_size=10)


@pytest.mark.parametrize(
    "config, model, more",
    [
        (DeiTConfig, DeiTForImageClassification, dict(intermediate_size=20)),
        (Dinov2Config, Dinov2ForImageClassification, dict(mlp_ratio=2)),
    ],
)
def test_a_head_that_ours_lacks_is_refused(config, model, more, tmp_path):
    save(tmp_path, config, model, more)
    with pytest.raises(ValueError, match="do not fit: '\\S+' is no weight of Hugging"):
        load_checkpoint(tmp_path)


def test_files_that_are_missing_damaged_or_short(tmp_path):
    with pytest.raises(FileNotFoundError, match="has no config.json.*save_pretrained"):
        load_checkpoint(tmp_path)
    save(tmp_path, *PUBLISHED[0][:3])
    file = tmp_path / "model.safetensors"
    weights = load_file(file)
    save_file({n: x for n, x in weights.items() if n != "vit.layernorm.bias"}, file)
    with pytest.raises(ValueError, match=r"do not fit: (?s:.)*norm.bias"):
        load_checkpoint(tmp_path)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ValueError, match="model.safetensors is damaged"):
        load_checkpoint(tmp_path)
    file.unlink()
    with pytest.raises(FileNotFoundError, match="has no model.safetensors"):
        load_checkpoint(tmp_path)
