"""What became of a shape: an axis lost, kept, joined with its neighbour, or of another size."""

import numpy as np


def shape_stories(wanted: tuple, given: tuple) -> list[str]:
    """What may have happened between two shapes, in words. Axes are counted from the end."""
    stories = []
    if len(given) == len(wanted) - 1:
        stories += [
            f"Axis {i - len(wanted)} of the right shape is missing in yours."
            for i in range(len(wanted))
            if wanted[:i] + wanted[i + 1 :] == given
        ]
        stories += [
            f"Axes {i - len(wanted)} and {i + 1 - len(wanted)} of the right shape are joined into "
            "one in yours."
            for i in range(len(wanted) - 1)
            if wanted[:i] + (wanted[i] * wanted[i + 1],) + wanted[i + 2 :] == given
        ]
    if len(given) == len(wanted) + 1:
        stories += [
            f"Yours has an axis too many: its axis {i - len(given)}."
            for i in range(len(given))
            if given[:i] + given[i + 1 :] == wanted
        ]
        stories += [
            f"Axes {i - len(given)} and {i + 1 - len(given)} of yours should be one."
            for i in range(len(given) - 1)
            if given[:i] + (given[i] * given[i + 1],) + given[i + 2 :] == wanted
        ]
    if len(given) == len(wanted):
        stories += _sizes(wanted, given)
    return stories


def _sizes(wanted, given) -> list[str]:
    places = [i for i, (a, b) in enumerate(zip(wanted, given)) if a != b]
    if sorted(wanted) == sorted(given):
        return ["The right shape with its axes in another order: which is a row of yours?"]
    if np.prod(wanted) == np.prod(given):
        return ["As many numbers as there should be, divided among the axes in another way."]
    if len(places) != 1:
        return []
    (i,) = places
    axis, more = i - len(wanted), given[i] - wanted[i]
    if abs(more) == 1:
        return [f"Axis {axis} of yours is one too {'long' if more > 0 else 'short'}."]
    if given[i] == 1:
        return [f"Axis {axis} of yours has size 1: was it summed over, or not repeated?"]
    for ratio in (2, 3, 4):
        if given[i] == ratio * wanted[i]:
            return [f"Axis {axis} of yours is {ratio} times as long as it should be."]
        if wanted[i] == ratio * given[i]:
            return [f"Axis {axis} of yours has 1/{ratio} of its length."]
    return [f"Only axis {axis} of yours has another size."]
