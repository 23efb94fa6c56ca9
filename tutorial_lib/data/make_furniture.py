"""Sample points on the surfaces of 3-D models of furniture. Taught in chapter 19.

python -m tutorial_lib.data.make_furniture DEB

DEB is the package that files/README.md names; it is not installed, and Debian is not needed.
"""

import argparse
import hashlib
import re
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np

from tutorial_lib.data import checksums
from tutorial_lib.data.debian import open_data, read_deb, write_npz
from tutorial_lib.data.furniture import NAMES, POINTS, SHIPPED_FILE

SHA256 = "3ccb90c63f9525e887a767b9cd5c8b6933b8b6b2973a615a5359ee68a2118668"
FOLDER = "./usr/share/sweethome3d/furniture/"
CATALOGUES = ("BlendSwap-CC-0", "BlendSwap-CC-BY", "KatorLegaz", "Reallusion", "Scopia")
AUTHORS_FILE = SHIPPED_FILE.with_name("furniture.AUTHORS.txt")
LICENCE_FILE = SHIPPED_FILE.with_name("furniture.LICENSE.txt")
CREDIT = {  # of each catalogue: its licence, and who asks to be named as well
    "BlendSwap-CC-0": ("CC0 1.0", "from blendswap.com"),
    "BlendSwap-CC-BY": ("CC BY 3.0", "from blendswap.com"),
    "KatorLegaz": ("CC BY 3.0 US", "© 2003-2008 Andrew Kator & Jennifer Legaz"),
    "Reallusion": ("CC BY 3.0 US", "© 2008-2016 Reallusion, reallusion.com"),
    "Scopia": (
        "CC BY 3.0",
        "© 2006-2020 Scopia Visual Interfaces Systems, s.l., scopia.es, and Emmanuel PUYBARET / "
        "eTeks <info@eteks.com>",
    ),
}

# A model is of the first class whose words its English name has, and of no class for these words.
OTHER = (
    r"blind|shutter|elevator$|wheelchair|bat$|fan$|mat$|house|tablet|candle|abdominal|workbench"
    r"|ottoman|freezer|snow$|snowman|box$|spotlight|track light|fluorescent|flashlight"
)
RULES = {
    "bed": r"\bbed$|^crib$",
    "cabinet": r"cabinet|wardrobe|bookcase|shelves|dresser|cupboard|bedside table|chest$",
    "lamp": r"\blamp|\blight$|lantern|lamppost",
    "sofa": r"sofa|couch|armchair",
    "chair": r"chair|stool|\bseat$|bench",
    "table": r"table|desk$",
    "window": r"window",
    "door": r"door$|door with panes",
    "plant": r"plant|tree|bamboo|ficus|yucca|tulips|flowers|lily|cypress|acacia|poplar|bush|cactus"
    r"|orchids|maple|beech|^pine|spathiphyllum",
    "person": r"\b(fe)?male\b|\bboy$|\bgirl$",
}


def class_of(name: str) -> str | None:
    """The class of a model by its name in the catalogue, or None for one that is not used."""
    name = name.lower()
    if re.search(OTHER, name):
        return None
    return next((kind for kind, words in RULES.items() if re.search(words, name)), None)


def read_catalogue(text: str) -> list[dict[str, str]]:
    """The models of a catalogue: from lines such as `name#7=Chair` a dict of what has number 7."""
    models = {}
    for key, number, value in re.findall(r"^(\w+)#(\d+)=(.*)$", text, re.MULTILINE):
        models.setdefault(int(number), {})[key] = value.strip()
    return [models[number] for number in sorted(models)]


def read_obj(text: str) -> np.ndarray:
    """The triangles (n, 3, 3) of a Wavefront OBJ file: `v x y z` is a corner, `f 1/4/2 5 -1` a
    face by the numbers of its corners, counted from 1 or, below zero, from the last one; what
    follows a slash is no corner. A face of more corners is a fan of triangles."""
    corners, triangles = [], []
    for line in text.replace("\\\n", " ").splitlines():
        kind, *words = line.split() or [""]
        if kind == "v":
            corners.append([float(word) for word in words[:3]])
        elif kind == "f":
            places = [int(word.split("/")[0]) for word in words]
            places = [place - 1 if place > 0 else len(corners) + place for place in places]
            triangles += [(places[0], *pair) for pair in zip(places[1:], places[2:])]
    return np.array(corners)[np.array(triangles)]


def in_metres(triangles: np.ndarray, model: dict[str, str]) -> np.ndarray:
    """A model as it stands in a room: x to the right, y to the back, z up, in metres.

    The file's y is up and its z to the front; the catalogue turns some models, and says how wide,
    deep and high, in centimetres, the box around each is.
    """
    if "modelRotation" in model:
        turn = np.array([float(word) for word in model["modelRotation"].split()]).reshape(3, 3)
        triangles = triangles @ turn.T
    low, high = triangles.min((0, 1)), triangles.max((0, 1))
    size = np.array([float(model[side]) for side in ("width", "height", "depth")]) / 100
    x, y, z = np.moveaxis((triangles - low) / np.maximum(high - low, 1e-9) * size, -1, 0)
    return np.stack([x, -z, y], axis=-1)


def sample(triangles: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Points (count, 3), evenly at random on the surface of triangles (n, 3, 3): a triangle is
    chosen by its area, then a place on it."""
    origin = triangles[:, 0]
    edges = triangles[:, 1:] - origin[:, None]  # (n, 2, 3)
    area = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=-1)
    chosen = np.searchsorted(area.cumsum(), rng.random(count) * area.sum(), side="right")
    place = rng.random((count, 2, 1))
    outside = place.sum(1, keepdims=True) > 1  # of the parallelogram the other half: turn it back
    place = np.where(outside, 1 - place, place)
    return origin[chosen] + (place * edges[chosen]).sum(1)


def unpack(deb: bytes) -> list[tuple[str, str, dict[str, str], np.ndarray]]:
    """(class, catalogue, what it says of the model, triangles in metres) of every model used."""
    found = []
    with open_data(deb) as tar:
        for catalogue in CATALOGUES:
            file = tar.extractfile(f"{FOLDER}{catalogue}.sh3f").read()
            archive = zipfile.ZipFile(BytesIO(file))
            text = archive.read("PluginFurnitureCatalog.properties").decode("latin-1")
            for model in read_catalogue(text):
                if kind := class_of(model["name"]):
                    obj = archive.read(model["model"].lstrip("/")).decode("latin-1")
                    found.append((kind, catalogue, model, in_metres(read_obj(obj), model)))
    return found


def splits(kinds: list[str]) -> dict[str, np.ndarray]:
    """Where to find the models of each split: of every class a quarter, rounded, is for the test,
    chosen at random once and for all."""
    rng, kinds = np.random.default_rng(19), np.array(kinds)
    found = {"train": [], "test": []}
    for kind in NAMES:
        models = rng.permutation(np.flatnonzero(kinds == kind))
        count = round(len(models) / 4)
        found["test"] += sorted(models[:count])
        found["train"] += sorted(models[count:])
    return {split: np.array(places) for split, places in found.items()}


def arrays(models: list) -> dict[str, np.ndarray]:
    """What `furniture.npz` holds of the models that `unpack` found: points float16 (n, 1024, 3) in
    the unit ball, labels uint8 (n,), metres float32 (n,), the radius of that ball, and names."""
    kinds = [model[0] for model in models]
    made = {}
    for split, places in splits(kinds).items():
        points, metres, names = [], [], []
        for place in places:
            _, catalogue, model, triangles = models[place]
            cloud = sample(triangles, POINTS, np.random.default_rng(place))
            cloud -= cloud.mean(0)
            radius = np.linalg.norm(cloud, axis=1).max()
            points.append(cloud / radius)
            metres.append(radius)
            names.append(f"{catalogue}/{Path(model['model']).stem}")
        made[f"{split}_points"] = np.array(points, np.float16)
        made[f"{split}_labels"] = np.array([NAMES.index(kinds[i]) for i in places], np.uint8)
        made[f"{split}_metres"] = np.array(metres, np.float32)
        made[f"{split}_names"] = np.array(names)
    return made


def authors(models: list) -> str:
    """Who made each model and under which licence, as text."""
    text = (
        "The point clouds in furniture.npz were sampled from the surfaces of these 3-D models,\n"
        "which are in the Debian package sweethome3d-furniture 1.8-1. Each was turned upright,\n"
        "scaled to the size that its catalogue says and then to a ball of radius one.\n"
        "The licences' texts are in furniture.LICENSE.txt.\n"
    )
    for catalogue in CATALOGUES:
        licence, credit = CREDIT[catalogue]
        text += f"\n{catalogue}, {credit}; licence {licence}; file, name, author\n"
        for _, source, model, _ in models:
            if source == catalogue:
                text += f"  {Path(model['model']).stem}, {model['name']}, {model['creator']}\n"
    return text


def licences(deb: bytes) -> str:
    """The package's own list of copyrights, with the licences' texts."""
    with open_data(deb) as tar:
        file = tar.extractfile("./usr/share/doc/sweethome3d-furniture/copyright")
        return file.read().decode("utf-8")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="make_furniture", description=__doc__.split("\n")[0])
    parser.add_argument("deb", type=Path)
    try:
        deb = read_deb(parser.parse_args(arguments).deb, SHA256)
    except (OSError, ValueError) as error:
        raise SystemExit(str(error)) from None
    models = unpack(deb)
    write_npz(SHIPPED_FILE, arrays(models))
    for file, text in ((AUTHORS_FILE, authors(models)), (LICENCE_FILE, licences(deb))):
        file.write_text(text, encoding="utf-8", newline="\n")
    checksums.restate(SHIPPED_FILE)
    checksum = hashlib.sha256(SHIPPED_FILE.read_bytes()).hexdigest()
    print(f"{SHIPPED_FILE}\n{SHIPPED_FILE.stat().st_size:,} bytes, sha256 {checksum}")


if __name__ == "__main__":
    main()
