"""The shipped furniture, and the script that samples it from its package."""

import hashlib
import io
import tarfile
import zipfile

import numpy as np
import pytest
import torch

from tests.data.test_fashion_mnist import ar
from tutorial_lib.data import checksums, debian
from tutorial_lib.data import furniture as data
from tutorial_lib.data import make_furniture as maker
from tutorial_lib.data.furniture import NAMES, SHIPPED_FILE, furniture, metres, model_names


def test_the_shipped_file_has_its_origin_authors_and_licences_beside_it():
    readme = (SHIPPED_FILE.parent / "README.md").read_text(encoding="utf-8")
    assert f"## {SHIPPED_FILE.name}" in readme and maker.SHA256 in readme
    assert len(SHIPPED_FILE.read_bytes()) < 1.8e6
    authors = maker.AUTHORS_FILE.read_text(encoding="utf-8")
    of = {section.split(",")[0]: section for section in authors.split("\n\n")[1:]}
    for split in data.SPLITS:
        for name in model_names(split):
            catalogue, stem = name.split("/")
            assert f"\n  {stem}, " in of[catalogue]
    licences = maker.LICENCE_FILE.read_text(encoding="utf-8")
    assert all(f"License: {name}\n" in licences for name in ("CC0", "CC-BY-3.0", "CC-BY-3.0-USA"))


def test_shapes_types_and_a_fixed_stratified_split():
    (train, train_labels), (test, test_labels) = furniture("train"), furniture("test")
    assert train.shape == (242, 1024, 3) and test.shape == (79, 1024, 3)
    assert train.dtype == torch.float32 and train_labels.dtype == torch.int64
    counts = train_labels.bincount(), test_labels.bincount()
    assert counts[0].tolist() == [37, 41, 28, 27, 22, 22, 13, 27, 13, 12]
    assert ((counts[1] - sum(counts) / 4).abs() <= 0.5).all()
    assert not set(model_names("train")) & set(model_names("test"))
    for clouds, split in ((train, "train"), (test, "test")):
        radius = clouds.norm(dim=-1).amax(1)
        assert (radius - 1).abs().max() < 1e-3 and clouds.mean(1).abs().max() < 1e-3
        assert len(metres(split)) == len(clouds) == len(model_names(split))
    assert torch.equal(furniture("test", 5)[0], test[:, :5])
    clouds, _ = furniture("test")
    clouds += 1  # a copy: the next reader is not disturbed
    assert torch.equal(furniture("test")[0], test)


def test_models_stand_upright_at_their_real_size_and_look_to_the_front():
    clouds, labels = furniture("train")
    real = clouds * metres("train")[:, None, None]
    size = real.amax(1) - real.amin(1)
    of = {name: size[labels == c].median(0).values for c, name in enumerate(NAMES)}
    assert 1.9 < of["door"][2] < 2.6 and 1.8 < of["bed"][1] < 2.3
    assert 0.6 < of["table"][2] < 0.9 and 0.7 < of["chair"][2] < 1.1
    # A chair's back is above the seat, so the upper third of the points lies behind the others.
    chairs = clouds[labels == NAMES.index("chair")]
    upper = chairs.gather(1, chairs[..., 2].argsort(1)[:, -340:, None].expand(-1, -1, 3))
    assert upper[..., 1].mean(1).median() > 0.15


def test_pictures_show_what_their_labels_say():
    (train, train_labels), (test, test_labels) = furniture("train"), furniture("test")
    spread = [torch.cat([x.std(1), x.amin(1), x.amax(1)], 1) for x in (train, test)]
    nearest = torch.cdist(spread[1], spread[0]).argmin(1)
    assert (train_labels[nearest] == test_labels).float().mean() > 0.5  # 0.18 for chairs only


@pytest.mark.parametrize(
    "arguments, message",
    [(("validation",), "split should be.*'validation'"), (("train", 0), "points should be 1 to")],
)
def test_bad_requests_are_explained(arguments, message):
    with pytest.raises(ValueError, match=message):
        furniture(*arguments)


def test_a_damaged_file_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(data, "SHIPPED_FILE", tmp_path / "furniture.npz")
    (tmp_path / "furniture.npz").write_bytes(SHIPPED_FILE.read_bytes()[:100_000])
    with pytest.raises(checksums.DamagedFile, match="furniture.npz is damaged"):
        furniture("train")


@pytest.mark.parametrize(
    "name, kind",
    [
        ("Office chair", "chair"), ("Winchester armchair", "sofa"), ("Bedside table", "cabinet"),
        ("Desk lamp", "lamp"), ("Wooden desk", "table"), ("Sitting female", "person"),
        ("Double door with panes", "door"), ("Day bed", "bed"), ("Window blind", None),
        ("Table fan", None), ("Wheelchair", None), ("Fridge", None),
    ],
)  # fmt: skip
def test_classes_follow_from_names(name, kind):
    assert maker.class_of(name) == kind


OBJ = """# a square of side 2 in the plane y = 0, and a triangle by numbers from the end
v 0 0 0
v 2 0 0 1.0
v 2 0 2
v 0 0 2
vn 0 1 0
g top
f 1//1 2//1 \\
3//1 4//1
v 5 5 5
f -1 1/7 2/7/1
"""


def test_triangles_of_a_wavefront_file():
    triangles = maker.read_obj(OBJ)
    a, b, c, d, e = [0, 0, 0], [2, 0, 0], [2, 0, 2], [0, 0, 2], [5, 5, 5]
    np.testing.assert_array_equal(triangles, [[a, b, c], [a, c, d], [e, a, b]])


def test_a_model_is_turned_and_scaled_as_its_catalogue_says():
    box = np.array([[[0.0, 0, 0], [1, 0, 0], [0, 2, 4]]])
    model = {"width": "50", "height": "100", "depth": "200"}
    placed = maker.in_metres(box, model)  # y up becomes z up, and the file's front, z, is -y
    np.testing.assert_allclose(placed, [[[0, 0, 0], [0.5, 0, 0], [0, -2, 1]]])
    turned = maker.in_metres(box, model | {"modelRotation": "1 0 0 0 0 1 0 -1 0"})
    np.testing.assert_allclose(turned, [[[0, -2, 0], [0.5, -2, 0], [0, 0, 1]]])


def test_points_are_even_on_the_surface():
    """Of two triangles one has three times the area; in each the points' mean is its centre."""
    small = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    triangles = np.stack([small, small * [3, 1, 1] + [0, 0, 7]])
    points = maker.sample(triangles, 40_000, np.random.default_rng(0))
    on_large = points[:, 2] > 0
    assert abs(on_large.mean() - 0.75) < 0.01
    for chosen, triangle in ((~on_large, triangles[0]), (on_large, triangles[1])):
        inside = points[chosen]
        np.testing.assert_allclose(inside.mean(0), triangle.mean(0), atol=0.02)
        edges = np.linalg.norm(inside - triangle.mean(0), axis=1)
        assert edges.max() <= np.linalg.norm(triangle - triangle.mean(0), axis=1).max()
        middle = (inside[:, :2] / triangle[:, :2].max(0)).sum(1) < 0.5
        assert abs(middle.mean() - 0.25) < 0.015  # half as long, a quarter of the area


def package(models: int) -> bytes:
    """A package as the real one: in each catalogue `models` chairs, and a fridge."""
    archive = io.BytesIO()
    text = "".join(
        f"name#{i}=Chair\nmodel#{i}=/a/chair{i}.obj\nwidth#{i}=50\ndepth#{i}=50\nheight#{i}=90\n"
        f"creator#{i}=Someone\n"
        for i in range(1, models + 1)
    )
    with zipfile.ZipFile(archive, "w") as catalogue:
        catalogue.writestr("PluginFurnitureCatalog.properties", text + "name#99=Fridge\n")
        for i in range(1, models + 1):
            catalogue.writestr(f"a/chair{i}.obj", OBJ)
    files = {f"{maker.FOLDER}{name}.sh3f": archive.getvalue() for name in maker.CATALOGUES}
    files["./usr/share/doc/sweethome3d-furniture/copyright"] = b"License: CC0\n"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return ar({"debian-binary": b"2.0\n", "data.tar.xz": buffer.getvalue()})


def test_the_whole_script_with_a_package_it_knows(tmp_path, monkeypatch, capsys):
    deb = package(2)
    (tmp_path / "x.deb").write_bytes(deb)
    monkeypatch.setattr(maker, "SHA256", hashlib.sha256(deb).hexdigest())
    for name in ("SHIPPED_FILE", "AUTHORS_FILE", "LICENCE_FILE"):
        monkeypatch.setattr(maker, name, tmp_path / name)
    monkeypatch.setattr(data, "SHIPPED_FILE", tmp_path / "SHIPPED_FILE")
    written = []
    for _ in range(2):
        maker.main([str(tmp_path / "x.deb")])
        written.append((tmp_path / "SHIPPED_FILE").read_bytes())
    assert written[0] == written[1]
    assert hashlib.sha256(written[0]).hexdigest() in capsys.readouterr().out
    assert len(furniture("train")[0]) == 8 and len(furniture("test")[0]) == 2
    assert furniture("train")[1].tolist() == [NAMES.index("chair")] * 8
    assert "chair2, Chair, Someone" in (tmp_path / "AUTHORS_FILE").read_text(encoding="utf-8")


def test_another_package_is_refused(tmp_path):
    (tmp_path / "other.deb").write_bytes(b"!<arch>\n")
    with pytest.raises(SystemExit, match=f"expected sha256 {maker.SHA256}, found "):
        maker.main([str(tmp_path / "other.deb")])
    with pytest.raises(ValueError, match="not an ar archive"):
        debian.ar_members(b"PK\3\4")
