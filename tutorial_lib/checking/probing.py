"""What the instances of a class do with the reference's weights: outputs, gradients, state."""

import contextlib
import inspect

import torch


class Probe:
    """A class as a function: (arguments, *inputs) -> what its instances do, by name."""

    def __init__(self, cls, reference, shared=()):
        self.cls, self.reference, self.shared = cls, reference, shared
        self.names = list(inspect.signature(reference.forward).parameters)[1:]

    def __call__(self, arguments, *inputs):
        with torch.random.fork_rng(devices=[]), _default_dtype_of(inputs):
            return self._results(arguments, inputs)

    def _results(self, arguments, inputs):
        weights = _weights(self.reference, arguments)
        torch.default_generator.manual_seed(0)
        module = self.cls(**arguments)
        module.load_state_dict(weights)
        return {
            "output in evaluation mode": _output(module.eval(), inputs),
            **self._with_gradients(module.train(), inputs),
            "called again": _output(module.eval(), inputs),
            "for twice the batch": _output(module, self._doubled(inputs)),
            "its state afterwards": {k: v.clone() for k, v in module.state_dict().items()},
        }

    def _doubled(self, inputs):
        """Twice the batch; what has one axis or none, or is shared, has no batch."""
        return [
            torch.cat([x, x])
            if torch.is_tensor(x) and x.ndim > 1 and name not in self.shared
            else x
            for name, x in zip(self.names, inputs)
        ]

    def _with_gradients(self, module, inputs) -> dict:
        """The output in training mode, and the gradients of a fixed weighted sum of it."""
        inputs = [_leaf(x) for x in inputs]
        torch.default_generator.manual_seed(2)  # of dropout
        out = module(*inputs)
        several = out if isinstance(out, (tuple, list)) else (out,)
        results = [t for t in several if torch.is_tensor(t)]
        weights = [torch.arange(1, t.numel() + 1).cos().view(t.shape).to(t) for t in results]
        total = sum((w * t).sum() for w, t in zip(weights, results))
        if torch.is_tensor(total) and total.requires_grad:
            total.backward()
        wanted = {f"gradient of {name}": x for name, x in zip(self.names, inputs)}
        wanted |= {f"gradient of {name}": p for name, p in module.named_parameters()}
        gradients = {
            name: torch.zeros_like(x) if x.grad is None else x.grad.clone()
            for name, x in wanted.items()
            if torch.is_tensor(x) and x.requires_grad
        }
        return {"output in training mode": _detached(out), **_without_rounding(gradients)}


def _without_rounding(gradients: dict) -> dict:
    """The gradients, with zeros for those that are nothing but rounding beside the largest: of a
    bias in front of a batch normalization, say, which no loss notices. Two right answers may round
    differently, and of rounding no digit agrees."""
    largest = max((x.abs().max().item() for x in gradients.values() if x.numel()), default=0.0)
    return {
        name: x if x.numel() and x.abs().max() > 1e-5 * largest else torch.zeros_like(x)
        for name, x in gradients.items()
    }


@contextlib.contextmanager
def _default_dtype_of(inputs):
    """New tensors are as precise as the inputs: of float64 ones the weights are float64 too. In a
    deep module float32 rounds so much that right answers part."""
    before = torch.get_default_dtype()
    floats = [x.dtype for x in inputs if torch.is_tensor(x) and x.is_floating_point()]
    torch.set_default_dtype(floats[0] if floats else before)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


_KEPT = {}  # (class, its arguments, default dtype) -> weights: every try of an answer wants them


def _weights(reference, arguments) -> dict:
    """Weights for a case, from those that the reference begins with."""
    key = reference, repr(arguments), torch.get_default_dtype()
    if key not in _KEPT:
        torch.default_generator.manual_seed(0)
        _KEPT[key] = _stirred(reference(**arguments).state_dict())
    return _KEPT[key]


def _stirred(weights: dict) -> dict:
    """The weights with noise, so that none is zero, one, or as small as it begins."""
    generator = torch.Generator().manual_seed(1)
    return {
        name: x + 0.3 * torch.randn(x.shape, generator=generator) if x.is_floating_point() else x
        for name, x in weights.items()
    }


def _output(module, inputs):
    torch.default_generator.manual_seed(2)
    with torch.no_grad():
        return module(*inputs)


def _leaf(x):
    floats = torch.is_tensor(x) and x.is_floating_point()
    return x.detach().clone().requires_grad_() if floats else x


def _detached(out):
    if isinstance(out, (tuple, list)):
        return tuple(map(_detached, out))
    return out.detach() if torch.is_tensor(out) else out
