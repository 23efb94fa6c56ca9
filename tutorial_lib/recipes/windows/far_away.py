"""Two marks far from each other, in windows: what lets them meet, with controls. A record.

Taught in chapter 08, after Dong et al., CSWin Transformer (CVPR 2022, 2107.00652), Huang et al.,
Shuffle Transformer (2106.03650) and Fang et al., MSG-Transformer (CVPR 2022, 2105.15168). Measure
again, three quarters of an hour on one core:

    python -m tutorial_lib.recipes.windows.far_away [--out FILE]
"""

from functools import partial
from itertools import product

import torch
import torch.nn.functional as F

from tutorial_lib.data.marks import bars, far_marks
from tutorial_lib.measuring.records import record
from tutorial_lib.models.backbones.cswin import CSWin
from tutorial_lib.models.backbones.msg import MSG
from tutorial_lib.models.backbones.shuffle import Shuffle
from tutorial_lib.models.backbones.swin import Swin
from tutorial_lib.training.loop import train

BARS, MARKS, CORNERS = "bars, 9 × 9 tokens", "marks, 9 × 9 tokens", "marks, 8 × 8 tokens"
TASKS = {  # a token is 2 × 2 pixels
    BARS: lambda count, generator: bars(count, 18, generator),
    MARKS: lambda count, generator: far_marks(count, 18, 6, generator),
    CORNERS: lambda count, generator: far_marks(count, 16, 8, generator),
}
DIM, HEADS, BATCH, SEEDS = 16, 2, 32, range(3)


def swin(depth, window=3):
    """Windows of 3 × 3 tokens, nine of them; or one window of 9 × 9 as a control."""
    return Swin(2, window, 1, 2, DIM, (depth,), (HEADS,))


def cswin(depth):
    """Stripes of 1 × 9 tokens: as many as Swin's windows hold."""
    return CSWin(2, 1, 2, DIM, (depth,), (HEADS,), (1,))


def shuffle(shuffled, connected):
    return Shuffle(2, 3, 1, 2, DIM, (2,), (HEADS,), shuffled, connected)


def msg(region):
    """Windows of 4 × 4 tokens, four of them: a region of 2 × 2, or of 1 as a control. A messenger
    gives away a quarter of its features, so it has more of them."""
    return MSG(2, 4, 1, 2, 2 * DIM, (2,), (2 * HEADS,), (region,))


MODELS = {  # task and name -> a fresh model
    (BARS, "CSWin, 1 block"): partial(cswin, 1),
    (BARS, "CSWin, 2 blocks"): partial(cswin, 2),
    (BARS, "Swin, 2 blocks"): partial(swin, 2),
    (BARS, "Swin, 4 blocks"): partial(swin, 4),
    (BARS, "Swin, one window"): partial(swin, 4, 9),
    (MARKS, "shuffle and connection"): partial(shuffle, True, True),
    (MARKS, "shuffle"): partial(shuffle, True, False),
    (MARKS, "connection"): partial(shuffle, False, True),
    (MARKS, "neither"): partial(shuffle, False, False),
    (MARKS, "Swin, 2 blocks"): partial(swin, 2),
    (MARKS, "Swin, 4 blocks"): partial(swin, 4),
    (MARKS, "Swin, one window"): partial(swin, 4, 9),
    (CORNERS, "messengers trade"): partial(msg, 2),
    (CORNERS, "messengers stay"): partial(msg, 1),
}


def loss_of(model, images, labels):
    return F.cross_entropy(model(images), labels)


def measure(row):
    """One row of the record, in a process of its own: accuracy on 1,000 fresh images."""
    torch.manual_seed(row["seed"])
    model, draw = MODELS[row["task"], row["model"]](), TASKS[row["task"]]
    train(model, partial(draw, BATCH), loss_of, steps=row["steps"], lr=row["lr"], seed=row["seed"])
    images, labels = draw(1000, torch.Generator().manual_seed(10_000 + row["seed"]))
    with torch.no_grad():
        right = model.eval()(images).argmax(-1) == labels
    parameters = sum(p.numel() for p in model.parameters())
    return row | {"parameters": parameters, "accuracy": right.float().mean().item()}


SOON, LONG, PATIENT = 400, 1600, 6400
RATES, LOWER = (4e-3, 1e-2), (1.5e-3, 4e-3)  # peaks of the learning rate; LOWER for four blocks
# No token hears both marks, or not in all pairs of places: the stems of Shuffle and MSG look over a
# border, so their controls are no mere sums.
TOO_FAR = (
    (BARS, "Swin, 2 blocks"),
    (MARKS, "neither"),
    (MARKS, "Swin, 2 blocks"),
    (CORNERS, "messengers stay"),
)


def plan():
    """What can hear both marks at two rates; what is slow with some seed and what cannot hear them
    four times as long, to tell what is impossible from what takes patience; four blocks of Swin
    sixteen times as long, beside four in one window, which show that the task can be learned."""
    cases = []
    for task, model in MODELS:
        if (task, model) in TOO_FAR or model in ("messengers trade", "Swin, one window"):
            cases.append((task, model, LONG, RATES[0]))
        elif model == "Swin, 4 blocks":
            cases += [(task, model, LONG, lr) for lr in LOWER]
            cases.append((task, model, PATIENT, LOWER[1]))
        else:
            cases += [(task, model, SOON, lr) for lr in RATES]
    names = ("task", "model", "steps", "lr")
    rows = [dict(zip(names, case), seed=seed) for seed, case in product(SEEDS, cases)]
    return sorted(rows, key=lambda row: row["steps"])


if __name__ == "__main__":
    record("far-away", plan(), measure, batch=BATCH)
