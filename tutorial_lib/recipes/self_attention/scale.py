"""What dividing scores by a power of d does to weights and gradients. Taught in chapter 01."""

import numpy as np

from tutorial_lib.from_scratch.attention import softmax, softmax_backward

DS = (4, 16, 64, 256, 1024)
POWERS = {"unscaled": 0.0, "scaled by 1/√d": 0.5, "scaled by 1/d": 1.0}
PARTS = ("variance", "largest weight", "dS", "mean dq", "low dq", "median dq", "high dq")


def softmax_at_work(d, power, seed, queries=500, keys=64):
    """What random scores scaled by d^-power do: a number for each of PARTS; dq is the length of a
    query's gradient, low and high the tenths of the queries that hear least and most."""
    generator = np.random.default_rng(seed)
    Q, K = (generator.normal(size=(n, d)) for n in (queries, keys))
    dP = generator.normal(size=(queries, keys))  # what the loss wants of the weights
    S = Q @ K.T / d**power
    P = softmax(S)
    dS = softmax_backward(dP, P)
    dq = np.linalg.norm(dS @ K / d**power, axis=1)  # (queries,)
    dS = np.linalg.norm(dS, axis=1)
    return [S.var(), P.max(axis=1).mean(), dS.mean(), dq.mean(), *np.quantile(dq, (0.1, 0.5, 0.9))]


def measured(seeds=3):
    """name of a scale -> part -> (len(DS), seeds)"""
    found = {}
    for name, power in POWERS.items():
        values = np.array([[softmax_at_work(d, power, seed) for seed in range(seeds)] for d in DS])
        found[name] = dict(zip(PARTS, np.moveaxis(values, -1, 0)))
    return found
