"""The Triton kernels of causal linear attention against the definition in float64.

Without a GPU the kernels run in Triton's interpreter, which must be asked for before Triton is
first imported anywhere in this process: hence the lines above the imports.
"""

import os

import pytest
import torch

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"

pytest.importorskip("triton", reason="Triton is published for Linux only")

import json  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402

from tutorial_lib.kernels.linear_attention import linear_attention  # noqa: E402
from tutorial_lib.layers.linear_attention import attend_in_chunks, phi  # noqa: E402

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
CASES = [(1, 16), (7, 32), (16, 16), (33, 16), (50, 64)]  # N, d; a tile has 16 rows here


def tensors(N, d, dtype=torch.float32, heads=(1, 2)):
    """q, k, v that need gradients, and a gradient of the output."""
    draw = torch.Generator().manual_seed(N)
    found = [torch.randn(*heads, N, d, generator=draw).to(DEVICE, dtype) for _ in range(4)]
    return [x.requires_grad_() for x in found[:3]], found[3]


def with_gradients(attention, qkv, do):
    """[out, dq, dk, dv], back through the feature map too"""
    q, k, v = qkv
    out = attention(phi(q), phi(k), v)
    return [out.detach(), *torch.autograd.grad(out, qkv, do)]


def definition(phi_q, phi_k, v):
    A = (phi_q @ phi_k.mT).tril()
    return A @ v / A.sum(-1, keepdim=True)


def exact(qkv, do):
    return with_gradients(definition, [x.detach().double().requires_grad_() for x in qkv], do)


def assert_near(actual, expected, tolerance):
    for name, a, e in zip(("out", "dq", "dk", "dv"), actual, expected, strict=True):
        error = (a.double() - e).abs().max() / e.abs().max().clamp(min=0.1)
        assert error < tolerance, f"{name} is off by {error:.1e} of its largest number"  # NaN too


@pytest.mark.parametrize("N, d", CASES)
def test_forward_and_backward(N, d):
    qkv, do = tensors(N, d)
    found = with_gradients(linear_attention, qkv, do)
    assert_near(found, exact(qkv, do.double()), 1e-5)
    chunks = with_gradients(lambda *x: attend_in_chunks(*x, chunk=16)[0], qkv, do)
    assert_near(found, [x.double() for x in chunks], 1e-5)


def test_heads_and_images_do_not_mix():
    qkv, do = tensors(20, 16, heads=(2, 3))
    assert_near(with_gradients(linear_attention, qkv, do), exact(qkv, do.double()), 1e-5)


def test_earlier_tokens_do_not_see_later_ones():
    (q, k, v), _ = tensors(40, 16)
    q, k = phi(q), phi(k)
    later_k, later_v = k.detach().clone(), v.detach().clone()
    later_k[:, :, 20:], later_v[:, :, 20:] = 1e3, -1e3
    before, after = linear_attention(q, k, v), linear_attention(q, later_k, later_v)
    assert torch.equal(before[:, :, :20], after[:, :, :20])
    assert not torch.equal(before[:, :, 20:], after[:, :, 20:])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    """Tiles and the state are rounded to the dtype between two products: a few of its epsilons."""
    qkv, do = tensors(33, 32, dtype)
    found = with_gradients(linear_attention, qkv, do)
    assert all(x.dtype == dtype for x in found)
    assert_near(found, exact(qkv, do.double()), 6 * torch.finfo(dtype).eps)


@pytest.mark.parametrize("wanted", [0, 1, 2])
def test_gradient_of_one_input_only(wanted):
    qkv, do = tensors(20, 16)
    inputs = [phi(qkv[0]), phi(qkv[1]), qkv[2]]
    inputs = [x.detach() for x in inputs]
    inputs[wanted].requires_grad_()
    linear_attention(*inputs).backward(do)
    assert [x.grad is not None for x in inputs] == [i == wanted for i in range(3)]


def test_wrong_shapes_and_types():
    x = torch.zeros(1, 1, 4, 16, device=DEVICE)
    with pytest.raises(ValueError, match="d = 24; expected one of"):
        linear_attention(*3 * [torch.zeros(1, 1, 4, 24, device=DEVICE)])
    with pytest.raises(ValueError, match="4 queries and 5 keys; expected equal numbers"):
        linear_attention(x, *2 * [torch.zeros(1, 1, 5, 16, device=DEVICE)])
    with pytest.raises(TypeError, match="v is torch.float16; expected q, k, v in one dtype"):
        linear_attention(x, x, x.half())


COMPILE = """
import json, torch, triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
import tutorial_lib.kernels.linear_attention as kernels

found = []
for kernel in (kernels._forward_kernel, kernels._backward_q_kernel, kernels._backward_kv_kernel):
    names, fixed = kernel.arg_names, dict(D=64, BLOCK=64)
    kinds = dict(N="i32", den="*fp32", h="*fp32")
    signature = {n: "constexpr" if n in fixed else kinds.get(n, "*bf16") for n in names}
    aligned = {(i,): [["tt.divisibility", 16]] for i, n in enumerate(names) if "*" in signature[n]}
    source = ASTSource(kernel, signature, {(names.index(n),): x for n, x in fixed.items()}, aligned)
    options = dict(num_warps=4, num_stages=2)
    done = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)
    found.append(dict(shared=done.metadata.shared, matrix_units="wgmma" in done.asm["ptx"]))
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
        assert kernel["shared"] <= 99 * 1024 and kernel["matrix_units"]
