"""How far off a count is, in the names of the arguments: "4 · dim · depth too few"."""

from fractions import Fraction
from itertools import product

from tutorial_lib.checking.comparing import parts

POWERS = 3  # the most factors that a product of sizes has here
SIMPLE = {Fraction(n, d) for n in range(1, 17) for d in (1, 2, 3, 4)}


def off_by_a_product(wrong: list[tuple]) -> str:
    """A sentence if, over all (expected, actual, case), the difference is one product of sizes.

    Fewer than three tries on which the sizes differ say nothing: any number is some product.
    """
    if len({tuple(sizes.items()) for *_, case in wrong if (sizes := _sizes(case))}) < 3:
        return ""
    for name in parts(wrong[0][0]):
        counts = [(case, *_counts(name, expected, actual)) for expected, actual, case in wrong]
        if any(None in row for row in counts):
            return ""
        if any(expected != actual for _, expected, actual in counts):
            return _sentence(name, counts)
    return ""


def _counts(name, expected, actual) -> tuple:
    """The two counts under a name; None for what is no number."""
    found = (parts(value).get(name) for value in (expected, actual))
    return tuple(Fraction(x).limit_denominator(10**6) if _is_count(x) else None for x in found)


def _is_count(x) -> bool:
    return isinstance(x, (int, float)) and not isinstance(x, bool) and abs(x) < 1e15


def _sentence(name, counts) -> str:
    sizes = [_sizes(case) for case, *_ in counts]
    names = [n for n in sizes[0] if all(n in found for found in sizes)][:7]
    for powers in sorted(product(range(POWERS), repeat=len(names)), key=sum):
        if sum(powers) > POWERS:
            break
        terms = [_product(found, names, powers) for found in sizes]
        if not all(terms):
            continue
        factors = {(actual - expected) / t for (_, expected, actual), t in zip(counts, terms)}
        factor = factors.pop()
        if not factors and abs(factor) in SIMPLE:
            what = [n + ("²" if p == 2 else "") for n, p in zip(names, powers) if p]
            shown = " · ".join(([str(abs(factor))] if abs(factor) != 1 or not what else []) + what)
            place = f"{name}: y" if name else "Y"
            return f"{place}ours is {shown} too {'many' if factor > 0 else 'few'}, on every try."
    return ""


def _product(sizes, names, powers) -> int:
    total = 1
    for name, power in zip(names, powers):
        total *= sizes[name] ** power
    return total


def _sizes(case: dict) -> dict[str, int]:
    """The whole numbers among a case's arguments, also those inside a dict of them."""
    found = {}
    for name, value in case.items():
        inner = value if isinstance(value, dict) else {name: value}
        found |= {n: x for n, x in inner.items() if isinstance(x, int) and not isinstance(x, bool)}
    return found
