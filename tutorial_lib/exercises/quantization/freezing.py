"""PROFIT: which layer disturbs the others most?"""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import instability as np_instability


def outputs_before_and_after(rng):
    for B, C, H, W in [(2, 1, 1, 2), (1, 2, 2, 3), (3, 4, 2, 1), (4, 3, 3, 2)]:
        scale = np.exp(rng.normal(size=(C, 1, 1)))
        yield dict(
            new=rng.normal(size=(B, C, H, W)),
            old=scale * rng.normal(size=(B, C, H, W)) + rng.normal(size=(C, 1, 1)),
        )
    new, old = rng.normal(size=(2, 3, 4, 2, 2))
    new[:, 1], old[:, 2] = 2.0, -0.5  # a dead channel after the step, and one before
    yield dict(new=new, old=old)
    yield dict(new=np.full((2, 1, 2, 2), 3.0), old=rng.normal(size=(2, 1, 2, 2)))


instability = Exercise(
    np_instability.instability,
    level=3,
    minutes=15,
    cases=outputs_before_and_after,
    hints=(
        "Four numbers for each channel: mean and standard deviation, after and before. Over which "
        "axes? The rest is one formula.",
        "`std(axis=(0, 2, 3), ddof=1)`. A channel with σ = 0 divides by zero or takes its "
        "logarithm: choose the others before the formula.",
        "`varies = (std > 0) & (old_std > 0)`; index all four arrays with it; the formula; "
        "its mean. And if no channel is left, 0.0.",
    ),
)


def _kl(new, old, *, axes=(0, 2, 3), ddof=1, half=0.5, formula=None, reduce=np.mean, dead=None):
    mean, old_mean = new.mean(axis=axes), old.mean(axis=axes)
    std, old_std = new.std(axis=axes, ddof=ddof), old.std(axis=axes, ddof=ddof)
    keep = (std > 0) & (old_std > 0)
    if formula is None:
        formula = lambda m, s, n, t: np.log(t / s) + (s**2 + (m - n) ** 2) / (2 * t**2)  # noqa: E731
    if not np.any(keep):
        return 0.0
    mean, std, old_mean, old_std = (np.asarray(x)[keep] for x in (mean, std, old_mean, old_std))
    found = formula(mean, std, old_mean, old_std) - half
    if dead is not None:
        found = np.concatenate([found, np.full((~keep).sum(), dead)])
    return float(reduce(found))


@instability.mistake(
    """The divergence from the new distribution to the old one is asked for, and yours goes from the
    old one to the new: σ and σ_old have changed places. It is not symmetric."""
)
def the_other_direction(new, old):
    return _kl(old, new)


@instability.mistake(
    """Your standard deviations divide by n. The task says n − 1: which argument of `std` is
    that?"""
)
def divides_by_n(new, old):
    return _kl(new, old, ddof=0)


@instability.mistake("""The ½ is missing: nothing moved should be 0, and yours is ½.""")
def without_the_half(new, old):
    return _kl(new, old, half=0)


@instability.mistake(
    """The logarithm is turned: ln(σ / σ_old). Then a channel that shrinks counts as nearer than one
    that stays, and the divergence can be negative."""
)
def logarithm_turned(new, old):
    return _kl(
        new, old, formula=lambda m, s, n, t: np.log(s / t) + (s**2 + (m - n) ** 2) / (2 * t**2)
    )


@instability.mistake(
    """The sum over the channels: a wide layer then looks less stable than a narrow one that moves
    as much. What makes layers comparable?"""
)
def sums_channels(new, old):
    return _kl(new, old, reduce=np.sum)


@instability.mistake(
    """One mean and one deviation for the whole output. A channel that moves up and one that moves
    down then cancel. What does the batch norm behind this layer normalise?"""
)
def all_channels_as_one(new, old):
    return _kl(new, old, axes=None)


@instability.mistake(
    """Means and deviations of each image by itself. Which axes does a batch norm take together?"""
)
def image_by_image(new, old):
    return _kl(new, old, axes=(2, 3))


@instability.mistake("""The distance of the means is not squared.""")
def distance_not_squared(new, old):
    return _kl(
        new, old, formula=lambda m, s, n, t: np.log(t / s) + (s**2 + abs(m - n)) / (2 * t**2)
    )


@instability.mistake(
    """You divide by σ_old where σ_old² belongs. In the formula two things are divided by it: of
    which unit are they?"""
)
def divides_by_the_deviation(new, old):
    return _kl(new, old, formula=lambda m, s, n, t: np.log(t / s) + (s**2 + (m - n) ** 2) / (2 * t))


@instability.mistake(
    """Constant channels count as 0, so they lower the mean. The task leaves them out: of how many
    channels is it the mean then?"""
)
def dead_channels_count(new, old):
    return _kl(new, old, dead=0.0)


@instability.mistake(
    """Infinite or NaN: a constant channel has σ = 0, and there is a logarithm of it and a division
    by it. Which channels should the formula see?"""
)
def dead_channels_divide(new, old):
    axes = (0, 2, 3)
    with np.errstate(all="ignore"):
        m, n = new.mean(axis=axes), old.mean(axis=axes)
        s, t = new.std(axis=axes, ddof=1), old.std(axis=axes, ddof=1)
        return float((np.log(t / s) + (s**2 + (m - n) ** 2) / (2 * t**2) - 0.5).mean())


@instability.mistake(
    """You divide by σ_old². The formula has 2 σ_old²: what does yours give where nothing moved?"""
)
def without_the_two(new, old):
    return _kl(new, old, formula=lambda m, s, n, t: np.log(t / s) + (s**2 + (m - n) ** 2) / t**2)


@instability.mistake(
    """The logarithm is of the variances, twice that of the deviations. Of which does the formula
    take it?"""
)
def logarithm_of_variances(new, old):
    return _kl(
        new, old, formula=lambda m, s, n, t: 2 * np.log(t / s) + (s**2 + (m - n) ** 2) / (2 * t**2)
    )


@instability.mistake(
    """The means are left out: a channel that moves as a whole does not count in yours."""
)
def means_left_out(new, old):
    return _kl(new, old, formula=lambda m, s, n, t: np.log(t / s) + s**2 / (2 * t**2))


@instability.mistake(
    """A mean and a deviation of each place by itself. Which axes does a batch norm take
    together?"""
)
def place_by_place(new, old):
    return _kl(new, old, axes=0)


@instability.mistake(
    """You ask only whether the old channel is constant. One that has become constant has σ = 0 too,
    and the formula a logarithm of it."""
)
def only_the_old_is_asked(new, old):
    axes = (0, 2, 3)
    keep = old.std(axis=axes) > 0
    m, n = new.mean(axis=axes)[keep], old.mean(axis=axes)[keep]
    s, t = new.std(axis=axes, ddof=1)[keep], old.std(axis=axes, ddof=1)[keep]
    with np.errstate(all="ignore"):
        return float((np.log(t / s) + (s**2 + (m - n) ** 2) / (2 * t**2) - 0.5).mean())


@instability.mistake("""The deviation of the new output is not squared.""")
def deviation_not_squared(new, old):
    return _kl(new, old, formula=lambda m, s, n, t: np.log(t / s) + (s + (m - n) ** 2) / (2 * t**2))
