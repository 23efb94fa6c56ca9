"""PROFIT: freeze first the layers that disturb the others most. Taught in chapter 36.

Park, Yoo, PROFIT: A Novel Training Method for sub-4-bit MobileNet Models (ECCV 2020, 2008.04693),
sections 3 and 4. With few bits, a step moves some weights by a whole level and leaves the others,
and the statistics of the layer's output jump: activation instability by weight quantization, AIWQ.
Later layers and the averages of batch norms run after it. So the instability of each layer is
measured while the model trains; then the worst third of the layers keep their weights while the
others go on, then the next third.
"""

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.from_scratch.instability import instability


class Instability:
    """Measures the AIWQ of layers while a model trains inside it.

        with Instability(layers) as measured:
            train(model, ...)
        measured.means()  # name -> mean over the steps

    layers  convolutions by name; each is called once a step
    """

    def __init__(self, layers: dict[str, nn.Conv2d]):
        self.layers, self.found = layers, {name: [] for name in layers}

    def __enter__(self):
        self.before = {}
        self.hooks = [
            layer.register_forward_hook(self._hook(name)) for name, layer in self.layers.items()
        ]
        return self

    def __exit__(self, *error):
        for hook in self.hooks:
            hook.remove()

    def means(self) -> dict[str, float]:
        return {name: sum(found) / len(found) for name, found in self.found.items()}

    def _hook(self, name):
        @torch.no_grad()
        def compare(layer, inputs, output):
            if name in self.before:
                settings = layer.bias, layer.stride, layer.padding, layer.dilation, layer.groups
                old = F.conv2d(inputs[0], self.before[name], *settings)
                self.found[name].append(
                    instability(*(x.float().cpu().numpy() for x in (output.detach(), old)))
                )
            self.before[name] = layer.weight.clone()

        return compare


def freezing_order(instabilities: dict[str, float]) -> list[list[str]]:
    """Layers by name, the most unstable first, in three parts: those frozen after the first phase,
    those after the second, those never. Sizes as in the authors' code: ⌊n/3⌋, ⌊2n/3⌋ − ⌊n/3⌋, the
    rest."""
    order = sorted(instabilities, key=instabilities.get, reverse=True)
    first, second = len(order) // 3, 2 * len(order) // 3
    return [order[:first], order[first:second], order[second:]]


def freeze(layer: nn.Module) -> None:
    """The float weights stay as they are; the range of the quantizer goes on learning."""
    layer.parametrizations.weight.original.requires_grad_(False)
