"""What members and staff may do: redeem rewards, give points away, pool them, adjust them by hand.

Each decision is a verdict: granted, and how much, or refused and why, with the numbers that decided. Nothing is counted
here; what is to be counted is in the verdict.
"""

import enum
from collections.abc import Collection, Mapping, Sequence
from datetime import date

import msgspec

from comity.definitions.types import (
    AdjustmentSpec,
    Cap,
    CapPeriod,
    PoolSpec,
    RewardSpec,
    TransferSpec,
)
from comity.programme.engine.days import add_span, name_period
from comity.programme.engine.facts import Count, Counts, Inputs


class Refusal(enum.StrEnum):
    """Why something is not allowed."""

    NOT_POSITIVE = "not_positive"
    NOT_YET = "not_yet"
    NO_LONGER = "no_longer"
    TIER_TOO_LOW = "tier_too_low"
    CONDITION_FAILED = "condition_failed"
    OUT_OF_STOCK = "out_of_stock"
    CAP_REACHED = "cap_reached"
    INSUFFICIENT_POINTS = "insufficient_points"
    TOO_LITTLE = "too_little"
    TOO_MUCH = "too_much"
    SAME_MEMBER = "same_member"
    POOL_FULL = "pool_full"
    TOO_MANY_POOLS = "too_many_pools"
    NEEDS_CHECKER = "needs_checker"
    CHECKER_IS_MAKER = "checker_is_maker"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided: `points` granted, or the reason of the refusal; `inputs` are the numbers that decided.

    `expires_on` is that of a voucher.
    """

    points: int = 0
    refusal: Refusal | None = None
    inputs: Inputs = {}
    counts: tuple[Count, ...] = ()
    expires_on: date | None = None

    @property
    def is_granted(self) -> bool:
        """True when it may be done."""
        return self.refusal is None


Check = tuple[bool, Refusal, Inputs]
"""Whether something stands against it, what, and the numbers that show it."""


def _refuse(refusal: Refusal, **inputs: int | str | date) -> Verdict:
    return Verdict(refusal=refusal, inputs=inputs)


def _first_refusal(*checks: Check) -> Verdict | None:
    return next((Verdict(refusal=refusal, inputs=inputs) for is_against, refusal, inputs in checks if is_against), None)


def decide_reward(
    spec: RewardSpec,
    *,
    on: date,
    balance: int,
    levels: Collection[str | None],
    counts: Counts,
    issued_count: int,
    is_condition_met: bool = True,
) -> Verdict:
    """Decide whether a member may have a reward on a day; `points` is its price.

    `levels` are the member's on all ladders, `counts` the member's counters, `issued_count` what all members have had;
    `is_condition_met` is what the condition `when` of the reward says, if it has one.
    """
    stock = issued_count if spec.stock is None else spec.stock - issued_count
    added, capped = _count(f"reward.{spec.name}", spec.caps, counts, on=on, points=spec.price)
    refused = _first_refusal(
        (on < (spec.first_day or on), Refusal.NOT_YET, {"first_day": spec.first_day or on}),
        (on > (spec.last_day or on), Refusal.NO_LONGER, {"last_day": spec.last_day or on}),
        _check_tier(spec.tiers, levels),
        (not is_condition_met, Refusal.CONDITION_FAILED, {"when": spec.when or ""}),
        (spec.stock is not None and stock < 1, Refusal.OUT_OF_STOCK, {"issued_count": issued_count}),
        capped,
        (balance < spec.price, Refusal.INSUFFICIENT_POINTS, {"balance": balance, "price": spec.price}),
    )
    if refused is not None:
        return refused
    expires_on = add_span(on, spec.voucher.valid) if spec.voucher is not None else None
    return Verdict(points=spec.price, inputs={"balance": balance}, counts=added, expires_on=expires_on)


def decide_transfer(
    spec: TransferSpec,
    points: int,
    *,
    on: date,
    balance: int,
    levels: Collection[str | None],
    counts: Counts,
    is_same_member: bool,
) -> Verdict:
    """Decide whether a member may give points to another; limits are those of the giver."""
    most = points if spec.points_max is None else spec.points_max
    added, capped = _count("transfer", spec.caps, counts, on=on, points=points)
    refused = _first_refusal(
        (points <= 0, Refusal.NOT_POSITIVE, {"points": points}),
        (is_same_member, Refusal.SAME_MEMBER, {}),
        (points < spec.points_min, Refusal.TOO_LITTLE, {"points": points, "points_min": spec.points_min}),
        (points > most, Refusal.TOO_MUCH, {"points": points, "points_max": most}),
        _check_tier(spec.tiers, levels),
        capped,
        (balance < points, Refusal.INSUFFICIENT_POINTS, {"balance": balance, "points": points}),
    )
    return refused or Verdict(points=points, inputs={"balance": balance}, counts=added)


def _check_tier(tiers: Sequence[str], levels: Collection[str | None]) -> Check:
    return bool(tiers) and not set(tiers) & set(levels), Refusal.TIER_TOO_LOW, {"tiers": ", ".join(tiers)}


def decide_pooling(spec: PoolSpec, *, member_count: int, pool_count: int) -> Verdict:
    """Decide whether somebody who is in so many pools may join one that has so many members."""
    if pool_count >= spec.pools_max:
        return _refuse(Refusal.TOO_MANY_POOLS, pool_count=pool_count, pools_max=spec.pools_max)
    if member_count >= spec.members_max:
        return _refuse(Refusal.POOL_FULL, member_count=member_count, members_max=spec.members_max)
    return Verdict()


def split_contribution(spec: PoolSpec, points: int) -> tuple[int, int]:
    """Split earned points into those of the pool and those the member keeps; a fraction stays with the member.

    >>> split_contribution(PoolSpec(contribution_percent=50), 5)
    (2, 3)
    """
    pooled = points * spec.contribution_percent // 100
    return pooled, points - pooled


def decide_adjustment(
    spec: AdjustmentSpec, points: int, *, maker: str, checker: str | None, on: date, counts: Counts
) -> Verdict:
    """Decide whether points may be given or taken (below zero) by hand; above the limit a second person has to agree.

    `counts` are the maker's counters.
    """
    size = abs(points)
    counter = (f"adjustment.points.{spec.per}", name_period(on, spec.per))
    used = counts.get(counter, 0)
    most = size if spec.points_max is None else spec.points_max
    maker_most = used + size if spec.maker_max is None else spec.maker_max
    needs_checker = size > spec.checker_above and checker is None
    refused = _first_refusal(
        (not size, Refusal.NOT_POSITIVE, {"points": points}),
        (size > most, Refusal.TOO_MUCH, {"points": points, "points_max": most}),
        (checker == maker, Refusal.CHECKER_IS_MAKER, {"maker": maker}),
        (needs_checker, Refusal.NEEDS_CHECKER, {"points": points, "checker_above": spec.checker_above}),
        (used + size > maker_most, Refusal.CAP_REACHED, {"points": points, "used": used, "most": maker_most}),
    )
    count = Count(counter=counter, amount=size)
    return refused or Verdict(points=points, inputs={"used": used}, counts=(count,))


def _count(name: str, caps: Sequence[Cap], counts: Counts, *, on: date, points: int) -> tuple[tuple[Count, ...], Check]:
    """Return what caps would count, and whether one of them stands against it."""
    added: list[Count] = []
    for cap in caps:
        what, most, amount = ("points", cap.points, points) if cap.points is not None else ("times", cap.times or 0, 1)
        counter = (f"{name}.{what}.{cap.per}", name_period(on, cap.per))
        is_counted = cap.per is not CapPeriod.PURCHASE
        used = counts.get(counter, 0) if is_counted else 0
        if used + amount > most:
            return (), (True, Refusal.CAP_REACHED, {"cap": counter[0], "most": most, "used": used})
        if is_counted:
            added.append(Count(counter=counter, amount=amount))
    return tuple(added), (False, Refusal.CAP_REACHED, {})


def sum_counts(counts: Counts, more: Sequence[Count]) -> Mapping[tuple[str, str], int]:
    """Return counters with what a verdict or an earning adds."""
    found = dict(counts)
    for count in more:
        found[count.counter] = found.get(count.counter, 0) + count.amount
    return found
