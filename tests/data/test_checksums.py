"""Damaged data is told by name, with the way to repair it, before anybody reads numbers from it."""

import shutil
import subprocess

import pytest
import torch
from torch import nn

from tutorial_lib.data import checksums, fashion_mnist
from tutorial_lib.recipes import shipped
from tutorial_lib.recipes.vit import vit


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A copy of what this course ships, in a library of its own."""
    root = tmp_path / "tutorial_lib"
    for path in [checksums.LIST, *checksums.shipped()]:
        copy = root / path.relative_to(checksums.LIBRARY)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    monkeypatch.setattr(checksums, "LIST", root / "data" / "files" / "SHA256SUMS")
    monkeypatch.setattr(checksums, "LIBRARY", root)
    monkeypatch.setattr(fashion_mnist, "SHIPPED_FILE", root / "data/files/fashion_mnist.npz")
    return root


def cut(path):
    path.write_bytes(path.read_bytes()[:10_000])


def flip(path):
    """One bit in the middle: a weight changes, and the file loads as well as before."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_the_list_names_every_file_that_is_shipped_and_each_is_whole():
    lines = checksums.LIST.read_text(encoding="utf-8").splitlines()
    assert {checksums.LIBRARY / line.split()[1] for line in lines} == set(checksums.shipped())
    assert checksums.problems() == [], "made anew? python -m tutorial_lib.data.checksums"


def remove(path):
    path.unlink()


@pytest.mark.parametrize("damage, word", [(cut, "damaged"), (flip, "damaged"), (remove, "missing")])
def test_damage_is_one_sentence_and_the_way_to_repair_it(library, damage, word):
    pictures = library / "data" / "files" / "fashion_mnist.npz"
    checkpoint = library / "recipes" / "vit" / "vit.safetensors"
    for path in (pictures, checkpoint):
        damage(path)
    with pytest.raises(checksums.DamagedFile, match=f"fashion_mnist.npz is {word}.* again"):
        fashion_mnist.fashion_mnist("test")
    with pytest.raises(checksums.DamagedFile, match=f"vit.safetensors is {word}.* again"):
        vit.load(checkpoint)
    found = [wrong.split(" is ")[0] for wrong, _ in checksums.problems()]
    assert found == [str(pictures), str(checkpoint)]


def test_the_repair_that_is_named_repairs(library):
    root, path = library.parent, library / "recipes/vit/vit.safetensors"
    git = ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=b"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "the course"]):
        subprocess.run(git + command, check=True, capture_output=True)
    flip(path)
    ((_, repair),) = checksums.problems()
    path.unlink()
    subprocess.run(repair.split("run: ")[1], shell=True, check=True, capture_output=True)
    assert checksums.problems() == []


@pytest.mark.parametrize("damage", ["", "x\n", None])
def test_a_damaged_list_is_told_as_well(library, damage):
    checksums.LIST.unlink()
    if damage is not None:
        checksums.LIST.write_text(damage, encoding="utf-8")
    with pytest.raises(checksums.DamagedFile, match="SHA256SUMS is missing or damaged"):
        fashion_mnist.fashion_mnist("test")


def test_a_checkpoint_that_is_not_shipped_loads_and_says_if_it_cannot(library, tmp_path):
    model, before = nn.Linear(40, 80), checksums.LIST.read_bytes()
    file = tmp_path / "elsewhere" / "vit.safetensors"
    shipped.save(file, model, steps=3)
    loaded, record = shipped.load(file, nn.Linear(40, 80))
    assert torch.equal(loaded.weight, model.weight) and record["steps"] == "3"
    assert checksums.LIST.read_bytes() == before
    cut(file)
    with pytest.raises(checksums.DamagedFile, match="elsewhere.* is no checkpoint, or a damaged"):
        shipped.load(file, nn.Linear(40, 80))


def test_a_checkpoint_made_anew_in_its_place_is_the_shipped_one(library):
    lines = checksums.LIST.read_text(encoding="utf-8").splitlines()
    for name in ("vit", "a_second"):
        file = library / "recipes" / "vit" / f"{name}.safetensors"
        shipped.save(file, nn.Linear(4, 8))
        assert shipped.load(file, nn.Linear(4, 8))
    assert checksums.problems() == []
    changed = set(checksums.LIST.read_text(encoding="utf-8").splitlines()) - set(lines)
    assert len(changed) == 2
