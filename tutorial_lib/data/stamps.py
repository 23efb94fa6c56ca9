"""227 cut-out photographs of ten kinds of things: stamps of a paint program for children.

They are in the Debian package tuxpaint-stamps-default 2022.06.04-1, licence GPL-2, 161 MB, which is
not shipped; it is not installed either, and Debian is not needed. `apt-get download`, or
https://deb.debian.org/debian/pool/main/t/tuxpaint-stamps/, fetches it, and

    python -m tutorial_lib.data.stamps DEB

writes what is used of it into the user's cache folder. Only the recipe
`tutorial_lib.recipes.vit.few_shot` needs it; chapter 05 shows what that has recorded.
"""

import argparse
import hashlib
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from tutorial_lib.data.debian import open_data

SHA256 = "6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34"
FILE = Path("~/.cache/visual-transformer-course/stamps.npz")
STAMPS = "./usr/share/tuxpaint/stamps/"
FOLDERS = {  # name of the class -> folder of the package
    "bird": "animals/birds",
    "fish": "animals/fish",
    "mammal": "animals/mammals",
    "insect": "animals/insects",
    "fruit": "food/fruit",
    "vegetable": "food/vegetables",
    "flower": "plants/flowers",
    "tool": "household/tools",
    "vehicle": "vehicles",
    "instrument": "hobbies/music",
}
DRAWN = ("cartoon", "toys", "plastic")  # folders of what is no photograph, or none of the thing
COPIES = ("_mirror", "_flip")  # ends of names: the same photograph, turned
SIDE = 224


def stamps() -> tuple[np.ndarray, np.ndarray]:
    """Pictures uint8 (227, 224, 224, 4), RGB and opacity, and labels (227,), places in FOLDERS.

    FileNotFoundError, with what helps, before they were unpacked.
    """
    file = FILE.expanduser()
    if not file.exists():
        raise FileNotFoundError(
            f"{file} is not there; tutorial_lib/data/stamps.py says how to make it"
        )
    with np.load(file) as arrays:
        return arrays["images"], arrays["labels"]


def kind_of(path: str) -> int | None:
    """The class of a file of the package, or None for one that is not used."""
    path = PurePosixPath(path)
    if path.suffix != ".png" or path.stem.endswith(COPIES) or set(path.parts) & set(DRAWN):
        return None
    for place, folder in enumerate(FOLDERS.values()):
        if path.is_relative_to(PurePosixPath(STAMPS, folder)):
            return place
    return None


def square(image: Image.Image) -> np.ndarray:
    """In the middle of a square that is else empty: uint8 (SIDE, SIDE, 4)."""
    image = image.convert("RGBA")
    side = max(image.size)
    canvas = Image.new("RGBA", (side, side))
    canvas.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return np.asarray(canvas.resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def unpack(deb: bytes) -> tuple[np.ndarray, np.ndarray]:
    """What `stamps` gives, in the order of the files' names."""
    found = {}
    with open_data(deb) as tar:
        for member in tar:
            if member.isfile() and (kind := kind_of(member.name)) is not None:
                found[kind, member.name] = square(Image.open(tar.extractfile(member)))
    names = sorted(found)
    return np.stack([found[name] for name in names]), np.array([kind for kind, _ in names])


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="stamps", description=__doc__.partition("\n")[0])
    parser.add_argument("deb", type=Path)
    deb = parser.parse_args(arguments).deb.read_bytes()
    if (found := hashlib.sha256(deb).hexdigest()) != SHA256:
        raise SystemExit(f"another file: expected sha256 {SHA256}, found {found}")
    images, labels = unpack(deb)
    file = FILE.expanduser()
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(half_done := file.with_suffix(".part"), "wb") as out:
        np.savez_compressed(out, images=images, labels=labels)
    half_done.replace(file)  # whole or not at all
    print(f"{file}: {len(labels)} pictures, {file.stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
