"""Published checkpoints in the course's ViT and DeiT, or in yours. Taught in chapter 05.

A checkpoint of Hugging Face's is a folder with config.json and model.safetensors. With a network,
any ViT, DeiT or DINOv2 of theirs:

    from huggingface_hub import snapshot_download
    files = ["config.json", "model.safetensors"]
    model = load_checkpoint(snapshot_download("google/vit-base-patch16-224", allow_patterns=files))

LayerScale, which DINOv2 has (Oquab et al., 2304.07193), is of Touvron et al., Going deeper with
Image Transformers (ICCV 2021, 2103.17239): x + γ ⊙ f(x), a factor for each feature. Where f ends in
a linear map, γ ⊙ (W z + b) = (γ ⊙ W) z + γ ⊙ b, so trained factors go into that map, and a ViT
without LayerScale computes the same.
"""

import contextlib
import json
import math
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from tutorial_lib.layers.patches import interpolate_positions
from tutorial_lib.models.backbones import deit, vit


def load_checkpoint(folder, model_class=None, image_size=None):
    """A model with the weights of a checkpoint, in testing mode.

    folder       a path; a ViT, a DINOv2, or a DeiT with both heads
    model_class  takes the arguments of `ViT` and names its parts as `ViT` does: your own; `ViT` or
                 `DeiT` if not given
    image_size   pixels, the side of the images to come: the positions are interpolated once, for
                 a class that does not do it itself; what the checkpoint was trained at if not given

    A checkpoint without a classifier leaves `head` as nn.Identity: the model then gives the class
    token's features (B, dim). Raises FileNotFoundError where a file is missing, and ValueError for
    an architecture that the class does not have, or weights or an image size that do not fit it.
    """
    folder = Path(folder).expanduser()
    config, state = _read(folder)
    kind = config.get("model_type")
    if kind not in READERS:
        raise ValueError(f"{folder} is a model of type {kind!r}, expected {', '.join(READERS)}")
    if config.get("hidden_act", "gelu") != "gelu" or config.get("use_swiglu_ffn"):
        raise ValueError(f"{folder} has another feed-forward network than two maps around GELU")
    default_class, read = READERS[kind]
    with _fitting(folder):
        state = read(state)
        sizes, grid = _sizes(state, config)
    if image_size is not None:
        if image_size % sizes["patch"]:
            raise ValueError(f"{image_size} pixels do not divide into patches of {sizes['patch']}")
        new_grid = 2 * (image_size // sizes["patch"],)
        state["positions.table"] = interpolate_positions(state["positions.table"], grid, new_grid)
        sizes["image_size"] = image_size
    model = (model_class or default_class)(**sizes)
    for module in model.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = config["layer_norm_eps"]
    if "head.weight" not in state:
        model.head = nn.Identity()
    with _fitting(folder):
        model.load_state_dict(state)
    return model.eval()


@contextlib.contextmanager
def _fitting(folder):
    """What raises in here says that a weight is missing, left over or of another size."""
    try:
        yield
    except (KeyError, ValueError, RuntimeError) as error:
        told = error.args[0] if isinstance(error, KeyError) else error
        raise ValueError(f"the weights in {folder} do not fit: {told}") from error


def _read(folder):
    """config.json as a dict, and the tensors by name."""
    for name in ("config.json", "model.safetensors"):
        if not (folder / name).exists():
            raise FileNotFoundError(
                f"{folder} has no {name}. A model that transformers can load gets both files from "
                "its `save_pretrained`, the weights in one piece with max_shard_size='10GB'."
            )
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    for name in ("num_attention_heads", "layer_norm_eps"):  # what no weight's shape tells
        if name not in config:
            raise ValueError(f"{folder / 'config.json'} has no {name!r}")
    try:
        return config, load_file(folder / "model.safetensors")
    except SafetensorError as error:
        raise ValueError(f"{folder / 'model.safetensors'} is damaged ({error})") from error


def _sizes(state, config):
    """The arguments of `ViT` and the grid of patches, from the weights' shapes where these tell."""
    dim, channels, patch, _ = state["embed.project.weight"].shape
    places = len(state["positions.table"]) - 1
    side = math.isqrt(places)
    if side * side != places:
        raise ValueError(f"{places} positions of patches, expected a square")
    sizes = dict(
        image_size=patch * side,
        patch=patch,
        channels=channels,
        classes=len(state["head.bias"]) if "head.bias" in state else 1,  # one that is taken out
        dim=dim,
        depth=1 + max(int(name.split(".")[1]) for name in state if name.startswith("encoder.")),
        heads=config["num_attention_heads"],
        hidden=len(state["encoder.0.feed_forward.up.bias"]),
    )
    return sizes, (side, side)


def _from_vit(state):
    """Of a classifier, or of the model that it contains, whose names have no first word. Its pooler
    is one more layer on the class token, which `ViT` does not have."""
    if "embeddings.cls_token" in state:
        state = {f"vit.{n}": x for n, x in state.items() if not n.startswith("pooler.")}
    return vit.from_huggingface(state)


def _from_dinov2(state):
    """Of DINOv2, the model alone: γ goes into the map before it; the token of masked patches, which
    only its training used, is left out."""
    factors = {n: x for n, x in state.items() if "layer_scale" in n}
    found = {n: x for n, x in state.items() if n not in factors and n != "embeddings.mask_token"}
    for name, gamma in factors.items():
        layer, _, which = name.partition("layer_scale")
        ends_in = layer + {"1.lambda1": "attention.output.dense", "2.lambda1": "mlp.fc2"}[which]
        found[f"{ends_in}.weight"] = gamma[:, None] * found[f"{ends_in}.weight"]
        found[f"{ends_in}.bias"] = gamma * found[f"{ends_in}.bias"]
    return _from_vit(
        {
            n.replace(".norm1.", ".layernorm_before.").replace(".norm2.", ".layernorm_after."): x
            for n, x in found.items()
        }
    )


READERS = {  # the type in config.json -> the course's class, and a function of the state
    "vit": (vit.ViT, _from_vit),
    "deit": (deit.DeiT, deit.from_huggingface),
    "dinov2": (vit.ViT, _from_dinov2),
}
