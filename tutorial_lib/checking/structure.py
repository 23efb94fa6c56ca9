"""What differs in the parameters and buffers of two modules, in words."""

import torch
from torch import nn


def structure(theirs: nn.Module, yours: nn.Module):
    """What differs in the parameters and buffers of two modules: a sentence each."""
    wanted, given = _entries(theirs), _entries(yours)
    hidden = _outside_of_lists(yours)
    yield from _shared(theirs, yours)
    for name, (kind, shape) in wanted.items():
        if name in given:
            found, size = given[name]
            if found != kind:
                yield f"{name} is a {found}, expected a {kind}: {WHY[kind]}"
            elif size != shape:
                yield f"{name} has the shape {size}, expected {shape}"
        elif name.split(".")[0] in hidden:
            first = name.split(".")[0]
            yield (
                f"{first} is a plain {hidden[first]}: PyTorch does not see what is in it. "
                "nn.ModuleList (or nn.Sequential) registers it"
            )
            return
        elif torch.is_tensor(getattr(yours, name, None)):
            yield f"{name} is a plain tensor, expected a {kind}: {WHY[kind]}"
    missing = [name for name in wanted if name not in given]
    others = _other_layers(theirs, yours, missing)
    for place, (found, layer) in others.items():
        yield f"{place} is {_a(found)}, expected {_a(layer)}"
    missing = [name for name in missing if _owner(name) not in others]
    for part, names in _by_part(missing).items():
        kind, shape = wanted[names[0]]
        if len(names) > 1:
            yield f"{part} is missing, with {len(names)} weights"
        elif not torch.is_tensor(getattr(yours, part, None)):
            yield f"{names[0]} is missing: a {kind} of shape {shape}"
    for part, names in _by_part(name for name in given if name not in wanted).items():
        weights = f", with {len(names)} weights" if len(names) > 1 else ""
        yield f"{part} is one too many{weights}"
    yield from _norms(theirs, yours)


def _owner(name: str) -> str:
    """The module that a weight belongs to: mlp.1 of mlp.1.running_mean."""
    return name.rpartition(".")[0]


def _other_layers(theirs, yours, missing) -> dict[str, tuple[str, str]]:
    """Where a weight is missing because one of PyTorch's layers stands in place of another: place
    -> (its name, the one expected). A class of the learner's own may be called as they like."""
    modules, found = dict(yours.named_modules()), {}
    for place in filter(None, map(_owner, missing)):
        other, layer = type(modules.get(place)), type(theirs.get_submodule(place))
        if other is not layer and other.__module__.startswith("torch.nn."):
            found[place] = (other.__name__, layer.__name__)
    return found


def _a(name: str) -> str:
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"


def _by_part(names) -> dict[str, list[str]]:
    """Names by the part of a list that they belong to, such as encoder.2; others by themselves."""
    parts = {}
    for name in names:
        words = name.split(".")
        parts.setdefault(".".join(words[:2]) if len(words) > 2 else name, []).append(name)
    return parts


def _shared(theirs, yours):
    """Weights that are one and the same under two names, where there should be two."""
    wanted, seen = len(set(theirs.parameters())), {}
    if len(set(yours.parameters())) >= wanted:
        return
    for name, weight in yours.named_parameters(remove_duplicate=False):
        if weight in seen:
            yield f"{name} is {seen[weight]} once more: one weight in two places, expected two"
            return
        seen[weight] = name


def _norms(theirs, yours):
    """Norms whose eps is another: of large numbers nothing would be seen."""
    modules = dict(yours.named_modules())
    for name, norm in theirs.named_modules():
        eps, other = getattr(norm, "eps", None), getattr(modules.get(name), "eps", None)
        if eps is not None and other is not None and eps != other:
            yield f"{name}.eps is {other:g}, expected {eps:g}"


WHY = {
    "parameter": "nn.Parameter is what an optimizer trains and a checkpoint keeps",
    "buffer": "register_buffer keeps a tensor that is saved and moved, and not trained",
}


def _entries(module: nn.Module) -> dict:
    """Name -> (kind, shape) of all that `state_dict` holds."""
    parameters = dict(module.named_parameters(remove_duplicate=False))
    return {
        name: ("parameter" if name in parameters else "buffer", tuple(value.shape))
        for name, value in module.state_dict(keep_vars=True).items()
    }


def _outside_of_lists(module: nn.Module) -> dict[str, str]:
    """Attributes that hold modules in a list, tuple or dict, however deep -> what they are."""
    return {
        name: type(value).__name__
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, nn.Module) and _holds_modules(value)
    }


def _holds_modules(value) -> bool:
    parts = value.values() if isinstance(value, dict) else value
    if isinstance(value, (list, tuple, dict)):
        return any(map(_holds_modules, parts))
    return isinstance(value, (nn.Module, nn.Parameter))
