"""Exercises whose answer trains: a step is taken several times, and every loss and weight compared.

training_step = TrainingExercise(training_step, level=2, minutes=15, cases=..., hints=(...))

A case is a dict: `model`, a function that makes a module, `optimizer`, a function of its parameters
that makes one with a memory, such as Adam, and `batches`, a list of tuples. The answer is called as
`answer(model, optimizer, *batch)` for each batch and returns the loss.
"""

import torch

from tutorial_lib.checking.exercise import Exercise
from tutorial_lib.checking.trials import Rules


class TrainingExercise(Exercise):
    """An exercise whose reference is a training step; the arguments are those of `Exercise`."""

    @property
    def rules(self):
        return Rules(in_graph=False)  # what it gives are gradients and weights already

    def as_function(self, answer):
        @torch.random.fork_rng(devices=[])
        def train(model, optimizer, batches):
            """The losses of some steps, and the weights after them."""
            torch.default_generator.manual_seed(0)
            module = model().eval()  # training mode is the step's business
            state = optimizer(module.parameters())
            for p in module.parameters():  # left over from a step before
                p.grad = torch.ones_like(p)
            found = {}
            for number, batch in enumerate(batches, 1):
                torch.default_generator.manual_seed(number)  # of dropout
                loss = answer(module, state, *batch)
                _without_graph(loss)
                found[f"loss of step {number}"] = torch.as_tensor(loss).detach().float()
                if number == 1:
                    found["weights after step 1"] = _weights(module)
            return found | {f"weights after step {len(batches)}": _weights(module)}

        return train


def _without_graph(loss):
    for one in loss if isinstance(loss, list | tuple) else [loss]:
        if torch.is_tensor(one) and one.requires_grad:
            raise TypeError(
                "the loss is a tensor that keeps its whole graph alive, expected a float: "
                "`.item()` gives one"
            )


def _weights(module):
    return {name: p.detach().clone() for name, p in module.named_parameters()}
