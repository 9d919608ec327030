"""Whole numbers only: named rounding of a ratio, and parts that always add up."""

from collections.abc import Sequence

from comity.definitions.types import Rounding
from comity.kernel.errors import Broken


def round_ratio(numerator: int, denominator: int, rounding: Rounding) -> int:
    """Round a ratio that is not negative to a whole number; `denominator` is above zero.

    >>> [round_ratio(5, 2, each) for each in (Rounding.FLOOR, Rounding.HALF_UP, Rounding.HALF_EVEN, Rounding.CEILING)]
    [2, 3, 2, 3]
    """
    whole, rest = divmod(numerator, denominator)
    if not rest or rounding is Rounding.FLOOR:
        return whole
    if rounding is Rounding.CEILING:
        return whole + 1
    if 2 * rest == denominator and rounding is Rounding.HALF_EVEN:
        return whole + whole % 2
    return whole + (2 * rest >= denominator)


def apportion(total: int, weights: Sequence[int]) -> list[int]:
    """Split a total into whole parts by weights, by the method of the largest remainder (Hamilton).

    The parts add up to the total exactly; each is its exact share rounded down or up; equal remainders go to the
    earlier part. Totals and weights are not negative; without any weight the first part takes all.

    >>> apportion(10, [1, 1, 1]), apportion(7, [0, 5, 2])
    ([4, 3, 3], [0, 5, 2])
    """
    if len(weights) == 1:
        return [total]
    whole = sum(weights)
    if not whole:
        return [total, *[0] * (len(weights) - 1)] if weights else []
    parts: list[int] = []
    rests: list[tuple[int, int]] = []
    left = total
    for place, weight in enumerate(weights):
        part, rest = divmod(total * weight, whole)
        parts.append(part)
        left -= part
        rests.append((-rest, place))
    if left:
        if not 0 < left < len(parts):
            raise Broken("Parts do not add up.", details={"total": total, "left": left})
        for _, place in sorted(rests)[:left]:
            parts[place] += 1
    return parts


def apportion_within(total: int, limits: Sequence[int]) -> list[int]:
    """Split a total that is at most the sum of limits, pro rata to them and never above any.

    >>> apportion_within(5, [4, 1, 1])
    [3, 1, 1]
    """
    parts = apportion(total, limits)
    if any(part > limit for part, limit in zip(parts, limits, strict=True)):
        raise Broken("More is taken than there is.", details={"total": total, "limits": list(limits)})
    return parts
