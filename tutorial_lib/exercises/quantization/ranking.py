"""What an attention map should keep: its order."""

import torch

from tutorial_lib.checking import Exercise
from tutorial_lib.models.efficient import ptq_vit


def maps(rng):
    def tensors(*shape):
        return [torch.from_numpy(rng.normal(size=shape)).softmax(-1) for _ in range(2)]

    found, wanted = torch.tensor([[0.2, 0.5, 0.3]]), torch.tensor([[0.5, 0.3, 0.2]])
    yield dict(found=found, wanted=wanted, theta=0.1)
    for shape, theta in [((2, 3), 0.0), ((3, 2), 0.05), ((1, 4, 5), 0.02), ((2, 2, 3, 4), 0.3)]:
        found, wanted = tensors(*shape)
        yield dict(found=found.requires_grad_(), wanted=wanted, theta=theta)
    found, wanted = tensors(4, 6)
    wanted[:, 1] = wanted[:, 0]  # pairs that were equal
    found[:, 3] = found[:, 2]  # and others that have become so
    yield dict(found=found, wanted=wanted, theta=0.05)
    yield dict(found=found, wanted=wanted)
    yield dict(found=found, wanted=found.clone(), theta=0.0)  # nothing is out of order


ranking_loss = Exercise(
    ptq_vit.ranking_loss,
    level=3,
    minutes=15,
    cases=maps,
    hints=(
        "Two keys that have changed places: found_j − found_k and wanted_j − wanted_k have other "
        "signs. What is their product then, and what does max(0, ·) make of it?",
        "All pairs at once: `found[..., :, None] - found[..., None, :]` is (..., N, N). Each pair "
        "stands in it twice, and each key once beside itself: which part do you keep?",
        "`j, k = torch.triu_indices(N, N, 1)`; `sign = (wanted[..., j] - wanted[..., k]).sign()`; "
        "`(theta - (found[..., j] - found[..., k]) * sign).clamp(min=0).sum(-1).mean()`.",
    ),
)


def _of_pairs(found, wanted, judge, offset=1):
    n = found.shape[-1]
    j, k = torch.triu_indices(n, n, offset)
    return judge(found[..., j] - found[..., k], wanted[..., j] - wanted[..., k])


def _mean_of_sums(x):
    return x.sum(-1).mean()


@ranking_loss.mistake(
    """You punish the right order: the loss is largest for a map that has changed nothing. Which
    sign has the product of both differences then?"""
)
def the_other_way_round(found, wanted, theta=0.0):
    return _of_pairs(found, wanted, lambda f, w: _mean_of_sums((theta + f * w.sign()).clamp(min=0)))


@ranking_loss.mistake("""Every pair is counted twice, as (j, k) and as (k, j).""")
def every_pair_twice(found, wanted, theta=0.0):
    return 2 * ptq_vit.ranking_loss(found, wanted, theta)


@ranking_loss.mistake(
    """Every pair is counted twice, and each key once beside itself, at θ each. Which pairs does
    j < k leave?"""
)
def all_of_the_square(found, wanted, theta=0.0):
    f, w = (x[..., :, None] - x[..., None, :] for x in (found, wanted))
    return (theta - f * w.sign()).clamp(min=0).sum((-1, -2)).mean()


@ranking_loss.mistake(
    """Each key is compared with itself too, which adds θ for each. Which pairs does j < k
    leave?"""
)
def with_the_diagonal(found, wanted, theta=0.0):
    return _of_pairs(
        found, wanted, lambda f, w: _mean_of_sums((theta - f * w.sign()).clamp(min=0)), offset=0
    )


@ranking_loss.mistake(
    """Only neighbours are compared, j and j + 1. Which pairs are there besides?"""
)
def neighbours_alone(found, wanted, theta=0.0):
    sign = (wanted[..., :-1] - wanted[..., 1:]).sign()
    return _mean_of_sums((theta - (found[..., :-1] - found[..., 1:]) * sign).clamp(min=0))


@ranking_loss.mistake(
    """The sign is missing: you multiply with the whole difference of the original map, so pairs
    that were nearly equal hardly count. What does the formula take of it?"""
)
def whole_difference(found, wanted, theta=0.0):
    return _of_pairs(found, wanted, lambda f, w: _mean_of_sums((theta - f * w).clamp(min=0)))


@ranking_loss.mistake(
    """Pairs in the right order pay you: without max(0, ·) one far apart makes up for another out
    of order."""
)
def without_the_hinge(found, wanted, theta=0.0):
    return _of_pairs(found, wanted, lambda f, w: _mean_of_sums(theta - f * w.sign()))


@ranking_loss.mistake(
    """A mean over the pairs, where the sum over pairs and the mean over queries is asked for."""
)
def mean_over_pairs(found, wanted, theta=0.0):
    return _of_pairs(found, wanted, lambda f, w: (theta - f * w.sign()).clamp(min=0).mean())


@ranking_loss.mistake(
    """The sum over the queries too, so the loss grows with the batch. Over what is the mean?"""
)
def sum_over_queries(found, wanted, theta=0.0):
    return _of_pairs(found, wanted, lambda f, w: (theta - f * w.sign()).clamp(min=0).sum())


@ranking_loss.mistake(
    """The margin stands outside: max(0, ·) + θ instead of max(0, θ − ·). A pair in the right order
    should cost nothing once it is θ apart."""
)
def margin_outside(found, wanted, theta=0.0):
    return _of_pairs(
        found, wanted, lambda f, w: _mean_of_sums((-f * w.sign()).clamp(min=0) + theta)
    )


@ranking_loss.mistake(
    """You count the pairs out of order. A count has no slope and does not say how far off they
    are; what does the formula add up?"""
)
def counts_them(found, wanted, theta=0.0):
    return _of_pairs(found, wanted, lambda f, w: _mean_of_sums(((f * w.sign()) < theta).to(f)))


@ranking_loss.mistake(
    """You take the sign of the map that was found, and the differences of the wanted one. Which of
    the two is to be put right?"""
)
def maps_exchanged(found, wanted, theta=0.0):
    return ptq_vit.ranking_loss(wanted, found, theta)


@ranking_loss.mistake(
    """Both differences have become signs, and a sign has no slope. Of which one does the formula
    keep the size?"""
)
def signs_of_both(found, wanted, theta=0.0):
    return _of_pairs(
        found, wanted, lambda f, w: _mean_of_sums((theta - f.sign() * w.sign()).clamp(min=0))
    )


@ranking_loss.mistake(
    """Pairs that were equal are left out. What does the task say that they count?"""
)
def equals_left_out(found, wanted, theta=0.0):
    return _of_pairs(
        found, wanted, lambda f, w: _mean_of_sums((theta - f * w.sign()).clamp(min=0) * (w != 0))
    )


def _equals_as(sign):
    def judged(found, wanted, theta=0.0):
        def judge(f, w):
            return _mean_of_sums((theta - f * torch.where(w == 0, sign, w.sign())).clamp(min=0))

        return _of_pairs(found, wanted, judge)

    judged.__name__ = f"equals_as_{sign}"
    return judged


for _sign in (1.0, -1.0):
    ranking_loss.mistake(
        f"""A pair that was equal gets the sign {_sign:.0f} in yours, as if it had an order. What is
        the sign of 0?"""
    )(_equals_as(_sign))


@ranking_loss.mistake("""θ does nothing in yours. How far apart should a pair be?""")
def without_the_margin(found, wanted, theta=0.0):
    return ptq_vit.ranking_loss(found, wanted, 0.0)


@ranking_loss.mistake(
    """You compare queries with each other. A row is one query's: along which axis do its keys
    lie?"""
)
def compares_queries(found, wanted, theta=0.0):
    return ptq_vit.ranking_loss(found.mT, wanted.mT, theta)


@ranking_loss.mistake(
    """You keep what is below 0: pairs that are in order and more than θ apart. `clamp(min=0)` is
    max(0, ·)."""
)
def clamped_from_above(found, wanted, theta=0.0):
    return _of_pairs(found, wanted, lambda f, w: _mean_of_sums((theta - f * w.sign()).clamp(max=0)))
