"""Guests at a round table: each holds a handwritten digit, wears a colour and looks for a colour.
Taught in chapter 02."""

from functools import cache

import numpy as np
import torch
import torch.nn.functional as F

from tutorial_lib.data.digits import digits

SEATS = 8  # as many colours; each is worn once
FEATURES = 64 + SEATS + SEATS  # pixels, the colour that is worn, the colour that is looked for
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999", "#000000")


pictures = cache(digits)  # reading the file takes as long as ten steps of training


def round_tables(count, generator, part="train"):
    """Guests (count, 8, 80) of some tables, and the digits (count, 8, 2) that each should name:
    first that of the guest who wears the colour it looks for, then that of its left neighbour.

    A guest is 64 pixels, the colour it wears (one of 8, one-hot) and the colour it looks for. The
    guest at seat p has the one at seat p − 1 on its left, that at seat 0 the one at seat 7.
    part: "train" or "test", from which the digits are drawn.
    """
    images, labels = pictures(part)
    chosen = torch.randint(len(images), (count, SEATS), generator=generator)
    wears = torch.rand(count, SEATS, generator=generator).argsort(1)
    looks_for = torch.randint(SEATS, (count, SEATS), generator=generator)
    colours = F.one_hot(wears, SEATS), F.one_hot(looks_for, SEATS)
    guests = torch.cat([images[chosen].flatten(2), *colours], dim=-1)
    held = labels[chosen]  # (count, 8)
    return guests, torch.stack([held.gather(1, who) for who in asked(guests)], dim=-1)


def asked(guests):
    """The seats (B, 8) that guests (B, 8, 80) ask about: by colour, and on the left."""
    wears, looks_for = guests[..., 64:].unflatten(-1, (2, SEATS)).argmax(-1).unbind(-1)
    left = torch.arange(SEATS).roll(1).expand_as(wears)
    return wears.argsort(1).gather(1, looks_for), left


@torch.no_grad()
def right_answers(model):
    """Of 500 new tables with digits of other forms, the share of right answers of a model, guests
    -> scores (B, 8, 2, 10): [by colour, on the left]."""
    guests, wanted = round_tables(500, torch.Generator().manual_seed(99), "test")
    return (model(guests).argmax(-1) == wanted).float().mean(dim=(0, 1)).tolist()


def worse_answer(model):
    """The smaller of the two."""
    return min(right_answers(model))


def draw_table(ax, guests, weights, title):
    """Draw one table: guests (8, 80) in a circle, each in the frame of the colour that it wears and
    with a dot of the colour that it looks for, and a line for each weight (8, 8), query by key,
    from who asks to who is asked. Seen from above, seat 0 at the top, then counterclockwise, so
    that everybody has seat p − 1 on the left hand."""
    angle = np.pi / 2 + 2 * np.pi * np.arange(SEATS) / SEATS
    places = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    wears, looks_for = guests[:, 64:].unflatten(-1, (2, SEATS)).argmax(-1).T.tolist()
    for query in range(SEATS):
        for key in range(SEATS):
            weight = float(weights[query, key])
            if weight < 0.1 or query == key:
                continue
            arrow = dict(arrowstyle="-|>", color=COLOURS[looks_for[query]], alpha=weight, lw=1.4)
            arrow |= dict(shrinkA=3, shrinkB=3)
            ax.annotate("", 0.63 * places[key], 0.63 * places[query], arrowprops=arrow)
    for seat, (x, y) in enumerate(places):
        box = ax.inset_axes((x - 0.2, y - 0.2, 0.4, 0.4), transform=ax.transData)
        box.imshow(guests[seat, :64].view(8, 8).numpy(), cmap="gray_r")
        box.set(xticks=[], yticks=[])
        for side in box.spines.values():
            side.set(visible=True, color=COLOURS[wears[seat]], linewidth=3)
        ax.plot(0.63 * x, 0.63 * y, "o", color=COLOURS[looks_for[seat]], ms=6)
    ax.set(xlim=(-1.25, 1.25), ylim=(-1.25, 1.25), aspect="equal", title=title)
    ax.axis("off")
