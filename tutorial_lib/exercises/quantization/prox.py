"""ProxQuant: the step that draws weights to −1 and 1."""

import torch

from tutorial_lib.checking import Exercise
from tutorial_lib.models.efficient import prox_quant


def weights_and_strengths(rng):
    for shape, strength in [((3,), 0.3), ((2, 3), 0.0), ((4, 2), 0.1), ((2, 1, 3), 1.5)]:
        yield dict(theta=torch.from_numpy(rng.normal(size=shape)), strength=strength)
    theta = torch.tensor([-2.5, -1.2, -1.0, -0.9, -0.4, 0.0, 0.05, 0.7, 1.0, 1.05, 3.0])
    for strength in (0.2, 0.6):
        yield dict(theta=theta.double(), strength=strength)


prox_binary = Exercise(
    prox_quant.prox_binary,
    level=2,
    minutes=10,
    cases=weights_and_strengths,
    hints=(
        "Draw R for one weight: a W with its lowest points at −1 and 1. In which direction does it "
        "pull a weight of 0.3, of 1.7, of −0.2?",
        "Which of −1 and 1 is the nearest is decided by the sign of θ. Then it is the prox of a "
        "distance to one point: move by the strength, but never past the point.",
        "`away = theta - target`: its sign stays, its size shrinks by the strength and is clamped "
        "at 0. Add the target again. `torch.where(theta >= 0, 1.0, -1.0)` knows what to do with 0.",
    ),
)


def _target(theta):
    return torch.where(theta >= 0, 1.0, -1.0).to(theta)


def _away(theta):
    return theta - _target(theta)


def _toward(target, away, strength):
    return target + away.sign() * (away.abs() - strength).clamp(min=0)


@prox_binary.mistake(
    """A weight of exactly 0 stays at 0, or goes nowhere near 1: its `sign` is 0. Then it would be
    neither −1 nor 1 at the end. What does the task say of zero?"""
)
def zero_has_no_sign(theta, strength):
    away = _away(theta)
    moved = _toward(_target(theta), away, strength)
    return moved * (theta != 0)


@prox_binary.mistake(
    """You shrink the weights toward 0: that is the prox of |x|, whose lowest point is 0. Where are
    the lowest points of R?"""
)
def shrinks_to_zero(theta, strength):
    return theta.sign() * (theta.abs() - strength).clamp(min=0)


@prox_binary.mistake(
    """Weights that were nearer than the strength run past their point and would swing around it for
    ever. Where should they stop?"""
)
def runs_past(theta, strength):
    away = _away(theta)
    return theta - strength * away.sign()


@prox_binary.mistake(
    """You go a share of the way, strength · distance. Every weight then comes nearer and none
    arrives until the strength is 1. How far does a penalty |x − 1| push, near the point and far
    from it?"""
)
def a_share_of_the_way(theta, strength):
    away = _away(theta)
    return theta - strength * away


@prox_binary.mistake(
    """That is the prox of *squared* distances, a mean of θ and its point: weights come nearer and
    never arrive. R has distances that are not squared."""
)
def squared(theta, strength):
    return (theta + strength * _target(theta)) / (1 + strength)


@prox_binary.mistake(
    """You give the signs, whatever the strength is. With strength 0 nothing should move."""
)
def signs(theta, strength):
    return _target(theta)


@prox_binary.mistake(
    """Weights beyond ±1 are clipped to it at once. R pulls them back as fast as it pulls the others
    out, and no faster."""
)
def clips(theta, strength):
    away = _away(theta)
    return (_toward(_target(theta), away, strength)).clamp(-1, 1)


@prox_binary.mistake(
    """Weights beyond ±1 stay where they are. What is R there, and in which direction does it
    fall?"""
)
def leaves_the_large(theta, strength):
    away = _away(theta)
    moved = _toward(_target(theta), away, strength)
    return torch.where(theta.abs() > 1, theta, moved)


@prox_binary.mistake(
    """Twice the strength: the ½ in front of the square is there so that a weight moves by the
    strength itself."""
)
def twice_as_far(theta, strength):
    away = _away(theta)
    return _toward(_target(theta), away, 2 * strength)


@prox_binary.mistake("""A weight of exactly 0 goes to −1. What does the task say of zero?""")
def zero_goes_down(theta, strength):
    target = torch.where(theta > 0, 1.0, -1.0).to(theta)
    return _toward(target, theta - target, strength)


@prox_binary.mistake(
    """You give how far each weight still is from its point. The task asks for the weight."""
)
def distance_alone(theta, strength):
    return _toward(0, _away(theta), strength)


@prox_binary.mistake(
    """You move weights away from their points: R rises that way. Which sign has the step?"""
)
def moves_away(theta, strength):
    return theta + strength * _away(theta).sign()


@prox_binary.mistake(
    """Weights nearer than the strength stay where they are. They are the ones that arrive: where do
    they stop?"""
)
def the_near_stay(theta, strength):
    away = _away(theta)
    return torch.where(away.abs() > strength, theta - strength * away.sign(), theta)


@prox_binary.mistake("""The distance has lost its sign: a weight below its point lands above it.""")
def distance_without_sign(theta, strength):
    return _target(theta) + (_away(theta).abs() - strength).clamp(min=0)


@prox_binary.mistake(
    """You draw weights to the nearest of −1, 0 and 1. R has no lowest point at 0: which of its two
    is nearest to 0.3?"""
)
def three_points(theta, strength):
    target = theta.round().clamp(-1, 1)
    return _toward(target, theta - target, strength)


@prox_binary.mistake("""Half the strength. How far does the task say that a weight moves?""")
def half_as_far(theta, strength):
    return _toward(_target(theta), _away(theta), strength / 2)
