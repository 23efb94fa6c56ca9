"""How fast a transformer is trained."""

import math

from tutorial_lib.checking import Exercise
from tutorial_lib.training import loop as training


def steps_of_a_schedule(rng):
    for step, steps, warmup in [(0, 2, 1), (1, 2, 1), (0, 4, 2), (1, 4, 2), (2, 4, 2), (3, 4, 2)]:
        yield dict(step=step, steps=steps, warmup=warmup, peak=1.0)
    for step in (0, 3, 9, 10, 11, 40, 55, 99, 100):
        yield dict(step=step, steps=100, warmup=10, peak=0.003)
    yield dict(step=0, steps=10, warmup=0, peak=2.0)
    yield dict(step=5, steps=10, warmup=0, peak=2.0)


warmup_cosine = Exercise(
    training.warmup_cosine,
    level=1,
    minutes=10,
    cases=steps_of_a_schedule,
    hints=(
        "Two formulas, and an `if` that says whether the warm-up is over. Write down the rate at "
        "step 0, at the first step after the warm-up and at `steps` before you start.",
        "cos falls from 1 to −1 while its angle goes from 0 to π. What has to be added, and what "
        "multiplied, for a fall from 1 to 0?",
        "After the warm-up the angle is π times the share of the *remaining* steps that are done: "
        "(step − warmup) / (steps − warmup).",
    ),
)


def _falling(share, peak):
    return peak * 0.5 * (1 + math.cos(math.pi * share))


@warmup_cosine.mistake(
    """Your warm-up starts from 0: the first step has a rate of zero and changes nothing. Steps are
    counted from 0; which share of the warm-up does the first one belong to?"""
)
def starts_from_zero(step, steps, warmup, peak):
    if step < warmup:
        return peak * step / warmup
    return _falling((step - warmup) / (steps - warmup), peak)


@warmup_cosine.mistake(
    """Your warm-up is one step too long: at step `warmup` the rate rises above its peak, and falls
    back right after. Steps are counted from 0; what is the number of the warm-up's last step?"""
)
def overshoots(step, steps, warmup, peak):
    if warmup and step <= warmup:
        return peak * (step + 1) / warmup
    return _falling((step - warmup) / (steps - warmup), peak)


@warmup_cosine.mistake(
    """There is no warm-up: the first step already has the full rate, at a moment when Adam's
    estimates rest on a single gradient. What should the rate be at step 0?"""
)
def without_warmup(step, steps, warmup, peak):
    return _falling(max(0, step - warmup) / (steps - warmup), peak)


@warmup_cosine.mistake(
    """The cosine starts counting at step 0, so that the rate jumps down where the warm-up ends. At
    which step should its angle be zero?"""
)
def cosine_from_step_zero(step, steps, warmup, peak):
    return peak * (step + 1) / warmup if step < warmup else _falling(step / steps, peak)


@warmup_cosine.mistake(
    """The cosine starts at the right step and falls too slowly: at the end of training the rate is
    still above zero. How many steps are left after the warm-up?"""
)
def too_slow(step, steps, warmup, peak):
    return peak * (step + 1) / warmup if step < warmup else _falling((step - warmup) / steps, peak)


@warmup_cosine.mistake(
    """Your cosine goes through a whole period: down, and up again, so that training ends at the
    highest rate. At which angle is a cosine lowest?"""
)
def whole_period(step, steps, warmup, peak):
    if step < warmup:
        return peak * (step + 1) / warmup
    return _falling(2 * (step - warmup) / (steps - warmup), peak)


@warmup_cosine.mistake(
    """A half is missing: at the end of the warm-up the rate jumps to twice its peak. Between which
    values does 1 + cos move?"""
)
def twice_the_peak(step, steps, warmup, peak):
    if step < warmup:
        return peak * (step + 1) / warmup
    return 2 * _falling((step - warmup) / (steps - warmup), peak)


@warmup_cosine.mistake(
    """Your rate becomes negative halfway: from then on each step climbs. A bare cosine moves
    between 1 and −1; between which two values should the factor move?"""
)
def climbs_at_the_end(step, steps, warmup, peak):
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * math.cos(math.pi * (step - warmup) / (steps - warmup))


@warmup_cosine.mistake(
    """You fall along a straight line. It meets the cosine at the start, in the middle and at the
    end only; the cosine stays high for longer and lands more softly."""
)
def straight_down(step, steps, warmup, peak):
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * (steps - step) / (steps - warmup)


@warmup_cosine.mistake(
    """Your warm-up has one step more than it should, `warmup` + 1 of them, and the rate is too low
    until then. Steps are counted from 0; what is the number of the warm-up's last step?"""
)
def one_step_more(step, steps, warmup, peak):
    if step <= warmup:
        return peak * (step + 1) / (warmup + 1)
    return _falling((step - warmup) / (steps - warmup), peak)


@warmup_cosine.mistake(
    """You fall along a quarter of a cosine, which is steepest where it ends. The angle of half a
    cosine goes from 0 to π, and what has to be done with its values, from 1 to −1?"""
)
def quarter_of_a_cosine(step, steps, warmup, peak):
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * math.cos(math.pi / 2 * (step - warmup) / (steps - warmup))


@warmup_cosine.mistake(
    """Your rate reaches 0 one step too early: the last step that is taken changes nothing. Steps
    are counted from 0; is step `steps` ever taken?"""
)
def zero_at_the_last_step(step, steps, warmup, peak):
    if step < warmup:
        return peak * (step + 1) / warmup
    return _falling((step - warmup) / max(1, steps - warmup - 1), peak)


@warmup_cosine.mistake(
    """You give a share between 0 and 1, whatever the peak is. A rate of 1 makes nearly every
    training blow up: which argument has your code not read?"""
)
def share_of_the_peak(step, steps, warmup, peak):
    return training.warmup_cosine(step, steps, warmup, 1.0)
