"""The arguments of a case, copied afresh for a call, and how they may lie in memory.

PyTorch is asked for only where it is loaded: the NumPy exercises are checked without it.
"""

import copy
import sys

import numpy as np


def is_tensor(value) -> bool:
    """Whether a value is a PyTorch tensor; nothing is one while PyTorch is not loaded."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def duplicate(value):
    """A copy that the learner's code may spoil without harm."""
    return _each(value, lambda x: x.detach().clone().requires_grad_(x.requires_grad), copy.copy)


def strided(value):
    """The same numbers as views with gaps between them, as slicing a larger array would give."""
    return _each(value, _strided_tensor, _strided_array)


def joined(value):
    """The same numbers as tensors in the middle of a graph, which want gradients."""
    return _each(value, _joined_tensor, copy.copy)


def _strided_tensor(x):
    wide = x.new_zeros(*x.shape, 2)
    wide[..., 0] = x.detach()
    return wide[..., 0].requires_grad_(x.requires_grad)


def _strided_array(x):
    if not x.ndim or x.size < 2:
        return x.copy()
    wide = np.zeros((*x.shape, 2), dtype=x.dtype)
    wide[..., 0] = x
    return wide[..., 0]


def _joined_tensor(x):
    if not x.is_floating_point():
        return x.clone()
    return x.detach().clone().requires_grad_().clone()  # a leaf could be cut by requires_grad_


def _each(value, of_tensor, of_array):
    """A copy of a value with its tensors and arrays changed, however deep they lie in it."""
    if is_tensor(value):
        return of_tensor(value)
    if isinstance(value, np.ndarray):
        return of_array(value)
    if type(value) is dict:
        return {name: _each(part, of_tensor, of_array) for name, part in value.items()}
    if type(value) in (tuple, list):
        return type(value)(_each(part, of_tensor, of_array) for part in value)
    return copy.deepcopy(value)


def tensors(value, name: str = "") -> dict:
    """Name -> tensor of real numbers in a value, however deep: `W.layer[0]`, or "" for itself."""
    if is_tensor(value):
        return {name: value} if value.is_floating_point() else {}
    if isinstance(value, dict):
        places = {f"{name}.{key}" if name else str(key): part for key, part in value.items()}
    elif isinstance(value, (tuple, list)):
        places = {f"{name}[{i}]": part for i, part in enumerate(value)}
    else:
        return {}
    return {n: x for place, part in places.items() for n, x in tensors(part, place).items()}


def same(before, after) -> bool:
    """Whether an argument is as it was, what lies inside lists and dicts included."""
    if isinstance(before, (dict, tuple, list, np.ndarray)) and not isinstance(after, type(before)):
        return False
    if isinstance(before, dict):
        return list(before) == list(after) and all(same(before[k], after[k]) for k in before)
    if isinstance(before, (tuple, list)):
        return len(before) == len(after) and all(map(same, before, after))
    if is_tensor(before):
        if not is_tensor(after) or before.requires_grad != after.requires_grad:
            return False
        return before.shape == after.shape and bool(
            ((before == after) | (before.isnan() & after.isnan())).all()
        )
    if isinstance(before, np.ndarray):
        return np.array_equal(before, after, equal_nan=before.dtype.kind == "f")
    return not isinstance(before, (int, float, str)) or repr(before) == repr(after)


def shares_memory(value, given) -> bool:
    """Whether a part of a result lies where a part of an argument lies."""
    ours, theirs = set(_storages(value)), set(_storages(given))
    return bool(ours & theirs)


def _storages(value):
    """Where the numbers of a value begin: of a view, where those of its owner do."""
    if is_tensor(value):
        if str(value.layout) == "torch.strided" and not value.is_meta and value.numel():
            yield value.untyped_storage().data_ptr()
    elif isinstance(value, np.ndarray):
        while isinstance(value.base, np.ndarray):
            value = value.base
        if value.size:
            yield value.__array_interface__["data"][0]
    elif isinstance(value, (tuple, list, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _storages(part)
