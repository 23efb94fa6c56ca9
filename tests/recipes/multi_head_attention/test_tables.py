"""The round table and the cup: each question has one answer, and the hand-written heads find it."""

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F

from tutorial_lib.exercises.multi_head_attention.from_nothing import (
    strangers_do_not_matter,
    tables_are_apart,
)
from tutorial_lib.from_scratch.multi_head import multi_head_attention
from tutorial_lib.recipes.multi_head_attention import cup
from tutorial_lib.recipes.multi_head_attention.round_table import SETTINGS, TableReader
from tutorial_lib.recipes.multi_head_attention.tables import (
    asked,
    draw_table,
    pictures,
    right_answers,
    round_tables,
    worse_answer,
)


def generator():
    return torch.Generator().manual_seed(0)


def digit_of(guests):
    """The label of the picture that each guest holds, as scores."""
    images, labels = pictures("all")
    number = torch.cdist(guests[..., :64].flatten(0, 1), images.flatten(1)).argmin(1)
    return F.one_hot(labels[number], 10).view(*guests.shape[:2], 10).float()


def by_hand(guests):
    """Both answers, from what the text says of a guest."""
    wears, looks_for = guests[..., 64:72], guests[..., 72:]
    digit, seats = digit_of(guests), torch.eye(8).roll(1, dims=1)
    left = seats.T.expand(len(guests), 8, 8)  # seat p looks at seat p − 1
    return torch.stack([looks_for @ wears.mT @ digit, left @ digit], dim=2)


def test_each_question_has_one_answer():
    guests, digits = round_tables(30, generator())
    assert guests.shape == (30, 8, 80) and digits.shape == (30, 8, 2)
    assert (guests[..., 64:72].sum(1) == 1).all() and (guests[..., 72:].sum(-1) == 1).all()
    assert (by_hand(guests).argmax(-1) == digits).all()
    assert right_answers(by_hand) == [1.0, 1.0]


def test_the_worse_answer_is_judged():
    def first_alone(guests):
        return by_hand(guests)[:, :, :1].expand(-1, -1, 2, -1)

    assert right_answers(first_alone)[0] == 1.0 and 0.15 < worse_answer(first_alone) < 0.3


def test_who_is_asked_is_who_answers():
    guests, digits = round_tables(20, generator())
    for question, seats in enumerate(asked(guests)):
        held = digit_of(guests).argmax(-1)
        assert (held.gather(1, seats) == digits[..., question]).all()
    assert (asked(guests)[1][0] == torch.tensor([7, 0, 1, 2, 3, 4, 5, 6])).all()


def test_what_is_asked_of_a_model_built_from_nothing():
    def all_tables_at_once(guests):
        return by_hand(guests) + guests.mean(0).sum()

    def counts_digits(guests):
        everybody = digit_of(guests).sum(1)[:, None, None]
        return by_hand(guests) / 2 + everybody.expand(-1, 8, 2, -1)

    assert tables_are_apart(by_hand) and strangers_do_not_matter(by_hand)
    assert not tables_are_apart(all_tables_at_once)
    assert not strangers_do_not_matter(counts_digits)


def test_a_table_without_places_is_a_set():
    torch.manual_seed(0)
    guests, order = round_tables(2, generator())[0], torch.randperm(8)
    for name, settings in SETTINGS.items():
        model = TableReader(**settings)
        moved = (model(guests[:, order]) - model(guests)[:, order]).abs().max()
        assert (moved < 1e-5) == name.endswith("no places")


def test_a_table_is_drawn_with_a_line_for_each_weight():
    guests, _ = round_tables(1, generator())
    _, ax = plt.subplots()
    draw_table(ax, guests[0], F.one_hot(asked(guests)[1][0], 8), "on the left")
    assert len(ax.child_axes) == 8 and len(ax.texts) == 8
    arrow = ax.texts[0]  # from seat 0 at the top to seat 7, clockwise of it
    assert arrow.xyann[1] > arrow.xy[1] and arrow.xy[0] > 0
    plt.close()


def test_the_cups_heads_look_at_colour_and_at_place():
    tokens, W = cup.tokens(), cup.projections()
    where = cup.number(22, 18)
    _, P = multi_head_attention(tokens[[where]], tokens, W, 2)
    moved, painted = tokens.copy(), tokens.copy()
    moved[where, 3:] = tokens[0, 3:]
    painted[where, :3] = tokens[0, :3]
    for changed, head in [(moved, 0), (painted, 1)]:
        _, after = multi_head_attention(changed[[where]], tokens, W, 2)
        assert np.allclose(after[head], P[head]) and not np.allclose(after[1 - head], P[1 - head])
