"""What a pretrained ViT sees in a photograph: where its class token looks, and which patches it
finds alike.

Taught in chapter 05, after Caron et al., Emerging Properties in Self-Supervised Vision Transformers
(ICCV 2021, 2104.14294), figure 1, and Oquab et al., DINOv2 (2304.07193), figure 1. Record again the
pictures that the chapter shows where the model was not fetched, ten seconds:

    python -m tutorial_lib pretrained
    python -m tutorial_lib.recipes.vit.looking
"""

import math
from pathlib import Path

import matplotlib
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from tutorial_lib.data import pretrained
from tutorial_lib.data.photos import photo
from tutorial_lib.models.backbones.hugging_face import load_checkpoint

RECORDED = Path(__file__).parent / "pictures"  # NAME.jpg for each of SHOWN, and SOURCES.txt
SHOWN = ("astronaut", "chelsea", "coffee", "rocket")
PIXELS = 448  # 32 × 32 patches of 14 × 14
MEAN, STD = (torch.tensor(of)[:, None, None] for of in (pretrained.MEAN, pretrained.STD))


def prepare(image: np.ndarray, pixels: int = PIXELS) -> torch.Tensor:
    """The middle of a photo (H, W, 3) in [0, 1], as the model reads it: (1, 3, pixels, pixels)."""
    if image.ndim != 3 or image.shape[2] != 3 or not 0 <= image.min() <= image.max() <= 1:
        raise ValueError(
            f"a photo {image.shape} from {image.min():.3g} to {image.max():.3g}, expected "
            "(height, width, 3) in [0, 1], as `photo` and `open_photo` give it"
        )
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    square = torch.from_numpy(image[top : top + side, left : left + side]).permute(2, 0, 1)[None]
    size = (pixels, pixels)
    square = F.interpolate(square, size, mode="bilinear", antialias=True, align_corners=False)
    return (square - MEAN) / STD


@torch.no_grad()
def look(model, images, layer: int = -2):
    """What one layer does with images (B, 3, P, P), as `prepare` gives them.

    model  a `ViT`, or your own class with its names, for a square grid of g × g patches
    layer  the last but one if not given. What came after this model's last layer in its training
           read the patches alone, so nothing told the class token there where to look.
    ->  attention (B, g, g), that the class token pays to each patch, a mean over the heads; tokens
        (B, g², dim), the patches as the layer hands them on
    """
    found = []
    layer = model.encoder[layer]
    hook = layer.register_forward_hook(lambda module, given, out: found.append((given[0], out)))
    try:
        model(images)
    finally:
        hook.remove()
    ((before, after),) = found
    weights = layer.attention.weights(layer.around_attention.norm(before))  # (B, heads, n, n)
    side = math.isqrt(after.shape[1] - 1)
    return weights[:, :, 0, 1:].mean(1).unflatten(-1, (side, side)), after[:, 1:]


def colours(tokens):
    """Patches as colours: alike where the patches are alike.

    tokens (g², dim)  ->  (g, g, 3) in [0, 1]: the first three principal components, which are the
    directions in which the patches of this picture differ most, as red, green and blue. Each is
    stretched, so that 2 % of the patches are at each end.
    """
    tokens = tokens - tokens.mean(0)
    directions = torch.linalg.svd(tokens, full_matrices=False)[2][:3]  # (3, dim)
    largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    components = tokens @ (directions * largest.sign()).T  # (g², 3); a direction has no sign
    low, high = components.quantile(0.02, 0), components.quantile(0.98, 0)
    side = math.isqrt(len(tokens))
    stretched = (components - low) / (high - low).clamp(min=1e-12)  # of equal patches nothing
    return stretched.clamp(0, 1).unflatten(0, (side, side))


def picture(model, image: np.ndarray, layer: int = -2, size: int = 192) -> np.ndarray:
    """A photo, the attention to it and its patches as colours, side by side.

    image  (H, W, 3) in [0, 1], as `photo` and `open_photo` give it; its middle is used
    size   pixels, the side of each of the three
    ->  uint8 (size, 3 · size, 3). Attention is dark where there is none, and bright for the 1 % of
        the patches that get most of it.
    """
    images = prepare(image)
    attention, tokens = look(model, images, layer)
    attention = (attention[0] / attention[0].quantile(0.99)).clamp(0, 1)
    heat = torch.from_numpy(matplotlib.colormaps["magma"](attention.numpy())[..., :3])
    maps = torch.cat([heat.float(), colours(tokens[0])], dim=1).permute(2, 0, 1)  # (3, g, 2g)
    maps = F.interpolate(maps[None], (size, 2 * size))  # a patch is a square of one colour
    seen = F.interpolate((images * STD + MEAN).clamp(0, 1), (size, size), mode="area")
    strip = torch.cat([seen, maps], dim=-1)[0]
    return (strip.permute(1, 2, 0) * 255).round().byte().numpy()


def recorded(name: str) -> np.ndarray:
    """What `picture` made of photo(name), a name of SHOWN: uint8 (192, 576, 3)."""
    with Image.open(RECORDED / f"{name}.jpg") as file:
        return np.asarray(file)


def main() -> None:
    torch.set_num_threads(1)
    if (folder := pretrained.folder()) is None:
        raise SystemExit(
            f"The pictures are of a model that was not fetched yet: {pretrained.COMMAND}"
        )
    model = load_checkpoint(folder)
    for name in SHOWN:
        file = RECORDED / f"{name}.jpg"
        Image.fromarray(picture(model, photo(name))).save(file, quality=80, optimize=True)
        print(f"{file}: {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
