"""The Triton kernels against plain attention in float64 and against PyTorch's own fused attention.

Without a GPU the kernels run in Triton's interpreter, which must be asked for before Triton is
first imported anywhere in this process: hence the lines above the imports.
"""

import os

import pytest
import torch

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"

triton = pytest.importorskip("triton", reason="Triton is published for Linux only")

import importlib.util  # noqa: E402
import json  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402

import torch.nn.functional as F  # noqa: E402

import tutorial_lib.kernels.flash_attention as kernels  # noqa: E402
from tutorial_lib.kernels.flash_attention import (  # noqa: E402
    flash_attention,
    flash_attention_forward,
)

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
# N, M, d, causal. In the interpreter a tile is 32 queries by 16 keys: 33 and 65 leave tails of 1.
CASES = [
    (1, 1, 16, False),
    (1, 7, 32, False),
    (7, 1, 16, False),
    (33, 65, 16, False),
    (65, 33, 64, False),
    (1, 1, 16, True),
    (7, 7, 128, True),
    (65, 65, 16, True),
]
if DEVICE == "cuda":  # compiled tiles are larger, so it takes more rows to fill several
    CASES += [(300, 517, d, False) for d in (16, 32, 64, 128)]
    CASES += [(517, 517, d, True) for d in (16, 32, 64, 128)]


def tensors(N, M, d, dtype=torch.float32, heads=(1, 2), seed=0):
    """q, k, v that need gradients, and a gradient of the output."""
    draw = torch.Generator().manual_seed(seed)
    shapes = [(*heads, rows, d) for rows in (N, M, M, N)]
    q, k, v, do = (torch.randn(s, generator=draw).to(DEVICE, dtype) for s in shapes)
    return q.requires_grad_(), k.requires_grad_(), v.requires_grad_(), do


def plain(q, k, v, causal=False, scale=None):
    """The definition, with the whole score matrix in memory."""
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    scores = q @ k.mT * scale
    if causal:
        future = torch.ones_like(scores, dtype=torch.bool).triu(1)
        scores = scores.masked_fill(future, float("-inf"))
    return scores.softmax(-1) @ v


def with_gradients(attention, q, k, v, do, **options):
    """[out, dq, dk, dv]"""
    out = attention(q, k, v, **options)
    return [out.detach(), *torch.autograd.grad(out, (q, k, v), do)]


def exact(q, k, v, do, **options):
    """[out, dq, dk, dv] of plain attention in float64."""
    q, k, v = (x.detach().double().requires_grad_() for x in (q, k, v))
    return with_gradients(plain, q, k, v, do.double(), **options)


def assert_near(actual, expected, tolerance=1e-5):
    """All of [out, dq, dk, dv] within `tolerance` of the expected, absolute or relative."""
    for name, a, e in zip(("out", "dq", "dk", "dv"), actual, expected, strict=True):
        error = (a.double() - e.double()).abs() / e.double().abs().clamp(min=1)
        assert error.max() < tolerance, f"{name} is off by {error.max():.1e}"  # NaN fails too


@pytest.mark.parametrize("N, M, d, causal", CASES)
def test_forward_and_backward(N, M, d, causal):
    inputs = tensors(N, M, d)
    ours = with_gradients(flash_attention, *inputs, causal=causal)
    assert_near(ours, exact(*inputs, causal=causal))
    theirs = with_gradients(F.scaled_dot_product_attention, *inputs, is_causal=causal)
    assert_near(ours, theirs)


def test_heads_and_images_do_not_mix():
    inputs = tensors(5, 3, 16, heads=(2, 3))
    assert_near(with_gradients(flash_attention, *inputs), exact(*inputs))


@pytest.mark.parametrize("scale", [0.3, 0.0, -1.0])
def test_scale(scale):
    inputs = tensors(33, 17, 16)
    ours = with_gradients(flash_attention, *inputs, scale=scale)
    assert_near(ours, exact(*inputs, scale=scale))


def test_scale_zero_takes_the_mean():
    q, k, v, _ = tensors(3, 20, 16)
    mean = v.mean(2, keepdim=True).expand(-1, -1, 3, -1)
    torch.testing.assert_close(flash_attention(q, k, v, scale=0.0), mean, rtol=1e-5, atol=1e-5)


def test_large_scores():
    """Scores in the hundreds: exp of them overflows float32 unless the maximum goes first."""
    q, k, v, do = tensors(33, 33, 16)
    q = (q.detach() * 50).requires_grad_()
    largest = (q @ k.mT / 4).abs().max().item()
    assert largest > 89, "exp would not overflow, so this case tests nothing"
    ours = with_gradients(flash_attention, q, k, v, do)
    expected = exact(q, k, v, do)
    for results in (ours, expected):
        results[2] /= 50  # dK is a sum of queries, which are 50 times larger too
    # A float32 score of size s is known to s * 2^-24, and exp turns that into a relative error.
    assert_near(ours, expected, tolerance=largest * 2**-24 * 4)


def test_causal_rows_do_not_see_the_future():
    q, k, v, _ = tensors(40, 40, 16)
    before = flash_attention(q, k, v, causal=True)
    k2, v2 = k.detach().clone(), v.detach().clone()
    k2[:, :, 20:], v2[:, :, 20:] = 1e4, -1e4
    after = flash_attention(q, k2, v2, causal=True)
    assert torch.equal(before[:, :, :20], after[:, :, :20])
    assert not torch.equal(before[:, :, 20:], after[:, :, 20:])


def test_any_memory_layout():
    """(B, N, H, d) seen as (B, H, N, d), as a projection to heads gives it; and an expanded dO."""
    q, k, v, _ = tensors(20, 20, 16)
    turned = [x.detach().transpose(1, 2).contiguous().transpose(1, 2) for x in (q, k, v)]
    assert not any(x.is_contiguous() for x in turned)
    ones = torch.ones((), device=DEVICE).expand(q.shape)
    ours = with_gradients(flash_attention, *(x.requires_grad_() for x in turned), ones)
    assert_near(ours, exact(q, k, v, ones))


@pytest.mark.parametrize("wanted", [0, 1, 2])
def test_gradient_of_one_input_only(wanted):
    q, k, v, do = tensors(7, 20, 16)
    inputs = [x.detach() for x in (q, k, v)]
    inputs[wanted].requires_grad_()
    flash_attention(*inputs).backward(do)
    assert [x.grad is not None for x in inputs] == [i == wanted for i in range(3)]
    expected = exact(q, k, v, do)[1 + wanted].float()
    torch.testing.assert_close(inputs[wanted].grad, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("causal", [False, True])
def test_half_precision(dtype, causal):
    """Tiles are rounded to the dtype between two products, so errors are a few of its epsilons."""
    inputs = tensors(33, 33, 32, dtype)
    ours = with_gradients(flash_attention, *inputs, causal=causal)
    assert all(x.dtype == dtype for x in ours)
    assert_near(ours, exact(*inputs, causal=causal), tolerance=4 * torch.finfo(dtype).eps)


@pytest.mark.parametrize("causal", [False, True])
def test_logsumexp(causal):
    q, k, v, _ = tensors(33, 33, 16)
    out, found = flash_attention_forward(q, k, v, causal=causal)
    scores = q @ k.mT / 4
    if causal:
        scores = scores + torch.full((33, 33), float("-inf"), device=DEVICE).triu(1)
    torch.testing.assert_close(found, torch.logsumexp(scores, -1), rtol=1e-5, atol=1e-5)
    assert torch.equal(out, flash_attention(q, k, v, causal=causal)) and not out.requires_grad


def test_same_bits_twice():
    inputs = tensors(65, 33, 16)
    once = with_gradients(flash_attention, *inputs)
    again = with_gradients(flash_attention, *inputs)
    assert all(torch.equal(a, b) for a, b in zip(once, again, strict=True))


GOOD = (1, 1, 4, 16)
BAD_SHAPES = [  # q, k, v, causal, what the message says
    ((1, 1, 4, 24), (1, 1, 4, 24), (1, 1, 4, 24), False, "d = 24; expected one of .*16, 32"),
    ((1, 4, 16), (1, 4, 16), (1, 4, 16), False, r"q has shape \(1, 4, 16\); expected \(B, H"),
    ((1, 1, 0, 16), GOOD, GOOD, False, r"q has shape \(1, 1, 0, 16\); expected .* no 0"),
    ((1, 2, 4, 16), GOOD, GOOD, False, r"k has shape \(1, 1, 4, 16\); expected \(1, 2, 4, 16\)"),
    (GOOD, GOOD, (1, 1, 5, 16), False, r"v has shape \(1, 1, 5, 16\); expected \(1, 1, 4, 16\)"),
    (GOOD, (1, 1, 5, 16), (1, 1, 5, 16), True, "4 queries and 5 keys; expected equal numbers"),
]


@pytest.mark.parametrize("q, k, v, causal, words", BAD_SHAPES)
def test_wrong_shapes(q, k, v, causal, words):
    with pytest.raises(ValueError, match=words):
        flash_attention(*(torch.zeros(s, device=DEVICE) for s in (q, k, v)), causal=causal)


def test_wrong_types_and_devices():
    x = torch.zeros(GOOD, device=DEVICE)
    with pytest.raises(TypeError, match="k is torch.float16; expected q, k, v in one dtype"):
        flash_attention(x, x.half(), x)
    with pytest.raises(TypeError, match="q is torch.float64; expected .*torch.float32"):
        flash_attention(x.double(), x, x)
    with pytest.raises(TypeError, match="q is list"):
        flash_attention([1.0], x, x)
    with pytest.raises(ValueError, match=f"k is on meta; expected {DEVICE}"):
        flash_attention(x, x.to("meta"), x)


def test_cpu_tensors_without_the_interpreter(monkeypatch):
    monkeypatch.setattr(kernels, "INTERPRETED", False)
    q = torch.zeros(1, 1, 4, 16)
    with pytest.raises(RuntimeError, match="set TRITON_INTERPRET=1 in the environment before"):
        flash_attention(q, q, q)


def load_again():
    """A second copy of the module, so that its import can be watched."""
    spec = importlib.util.spec_from_file_location("second_copy", kernels.__file__)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


def test_import_without_triton(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    with pytest.raises(ImportError, match="needs Triton.*Linux only"):
        load_again()


@pytest.mark.skipif(DEVICE == "cuda", reason="the interpreter is not asked for")
def test_interpreter_asked_for_too_late(monkeypatch):
    monkeypatch.setattr("triton.language.sum", object.__new__(triton.JITFunction))
    with pytest.raises(ImportError, match="set after Triton was imported"):
        load_again()


COMPILE = """
import json, sys, torch, triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
import tutorial_lib.kernels.flash_attention as kernels

def compiled(kernel, dtype, backward):
    tiles = kernels.choose_tiles(64, dtype, backward)
    fixed = dict(D=64, CAUSAL=True, BLOCK_N=tiles.BLOCK_N, BLOCK_M=tiles.BLOCK_M)
    kinds = dict(scale="fp32", N="i32", M="i32", L="*fp32", delta="*fp32")
    pointer = {torch.float32: "*fp32", torch.bfloat16: "*bf16"}[dtype]
    names = kernel.arg_names
    signature = {n: "constexpr" if n in fixed else kinds.get(n, pointer) for n in names}
    aligned = {(i,): [["tt.divisibility", 16]] for i, n in enumerate(names) if "*" in signature[n]}
    source = ASTSource(kernel, signature, {(names.index(n),): x for n, x in fixed.items()}, aligned)
    options = dict(num_warps=tiles.num_warps, num_stages=tiles.num_stages)
    return triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)

found = []
for kernel, dtype, backward in (
    (kernels._forward_kernel, torch.float32, False),
    (kernels._forward_kernel, torch.bfloat16, False),
    (kernels._backward_kv_kernel, torch.bfloat16, True),
    (kernels._backward_q_kernel, torch.bfloat16, True),
):
    done = compiled(kernel, dtype, backward)
    ptx = done.asm["ptx"]
    found.append(dict(dtype=str(dtype), shared=done.metadata.shared,
                      matrix_units="wgmma" in ptx, tf32="tf32" in ptx))
print(json.dumps(found))
"""


def test_kernels_compile_for_a_gpu(tmp_path):
    """Triton compiles for a GPU that is not there: types, tiles and shared memory are right."""
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    environment["TRITON_CACHE_DIR"] = str(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", COMPILE], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for kernel in json.loads(done.stdout):
        assert kernel["shared"] <= 99 * 1024
        assert kernel["matrix_units"] == (kernel["dtype"] == "torch.bfloat16")
        assert not kernel["tf32"]
