"""What a late, corrected or cancelled purchase changes: compensating deltas, by declared policy.

What was booked is never altered. `re_derive` books the difference to what would have been earned had everything arrived
in time; `freeze_closed_period` does the same from the first open day on; `adjust_forward` evaluates the purchase alone,
as of today, at the tier of its own day and within the caps as they stand.

Budgets are shared. What a member's purchases were given stays theirs, whatever others have drawn since, as long as
nothing of them changes; what returns gave back is there for others, and comes again only as far as they left it.
"""

import enum
from collections.abc import Collection, Mapping, Sequence
from datetime import date

import msgspec

from comity.definitions.types import CorrectionPolicy
from comity.programme.engine.arithmetic import apportion_within
from comity.programme.engine.compiling import Rules
from comity.programme.engine.days import to_business_day
from comity.programme.engine.evaluating import evaluate
from comity.programme.engine.facts import Count, Counter, Counts, Earning, Lot, Member, Purchase, Terms
from comity.programme.engine.lifetimes import is_lapsed, plan_terms
from comity.programme.engine.replaying import (
    Booked,
    Person,
    Replay,
    Version,
    book,
    find_peak,
    pick_version,
    sort_purchases,
    sum_draws,
    sum_lots,
)
from comity.programme.engine.tiers import Qualifying, walk


class Cause(enum.StrEnum):
    """Why a purchase gets a delta."""

    LATE = "late"
    CORRECTED = "corrected"
    CANCELLED = "cancelled"
    CONSEQUENCE = "consequence"


class Delta(msgspec.Struct, frozen=True, kw_only=True):
    """Points to add to, or (below zero) to take from, what a purchase earned under these terms."""

    purchase_id: str
    currency: str
    terms: Terms
    points: int
    effective_on: date
    cause: Cause


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """The deltas to book, and what stands afterwards for each purchase the plan looked at.

    `earnings` are those of the changed purchases, explained, where that was asked for.
    """

    deltas: tuple[Delta, ...]
    booked: Mapping[str, Booked]
    earnings: Mapping[str, Earning] = {}


def plan_correction(
    versions: Sequence[Version],
    person: Person,
    purchases: Sequence[Purchase],
    booked: Mapping[str, Booked],
    *,
    changed: Collection[str],
    policy: CorrectionPolicy,
    today: date,
    open_from: date,
    kept: Collection[str] = (),
    budgets: Counts | None = None,
    explains: bool = False,
) -> Correction:
    """Return what to book so that a member's purchases, as they are known now, have earned what the policy says.

    `purchases` are all of the member as they are known now; `booked` what each has earned so far; `changed` the ids of
    those that are new, other than they were, or gone. `open_from` is the first day no period lock covers. `kept` stand
    as they were booked, whatever came in between. `budgets` are the shared counters, what this member's purchases draw
    still included. Done twice, the second plan is empty. Raises InvalidPurchase, InvalidReturn, NoVersion.
    """
    shared = dict(budgets or {})
    if policy is CorrectionPolicy.ADJUST_FORWARD:
        return _adjust(
            versions, person, purchases, booked, changed=changed, today=today, budgets=shared, explains=explains
        )
    told = changed if explains else ()
    is_frozen = policy is CorrectionPolicy.FREEZE_CLOSED_PERIOD
    frozen = {
        key: each
        for key, each in booked.items()
        if key in kept or (is_frozen and each.business_on < open_from and key not in changed)
    }
    free = [each for key, each in booked.items() if key not in frozen]
    before = sum_draws(free, is_net=True)
    for counter, amount in before.items():
        shared[counter] = shared.get(counter, 0) - amount  # The replay adds what is drawn, in its turn.
    own = find_peak(sort_purchases(purchases), {key: each for key, each in booked.items() if key not in frozen})
    going = _replay(versions, person, purchases, frozen, budgets=shared, reserves=own, told=told)
    after = sum_draws((each for key, each in going.booked.items() if key not in frozen), is_net=True)
    if own != before and not _fits(versions, shared, before, after):
        going = _replay(versions, person, purchases, frozen, budgets=shared, reserves=before, told=told)
    deltas: list[Delta] = []
    for key in sorted({*booked, *going.booked} - {*frozen}):
        before, after = booked.get(key), going.booked.get(key)
        cause = _find_cause(key, before, after, changed)
        floor = open_from if is_frozen else date.min
        deltas += compare(key, before, after, cause=cause, effective_from=floor)
    earnings = {key: going.earnings[key] for key in told if key in going.earnings}
    return Correction(deltas=tuple(deltas), booked=going.booked, earnings=earnings)


def _replay(
    versions: Sequence[Version],
    person: Person,
    purchases: Sequence[Purchase],
    frozen: Mapping[str, Booked],
    *,
    budgets: Counts,
    reserves: Counts,
    told: Collection[str],
) -> Replay:
    going = Replay(versions, person, budgets=budgets, reserves=reserves)
    for purchase in sort_purchases(purchases):
        if purchase.purchase_id in frozen:
            going.keep(purchase, frozen[purchase.purchase_id])
        else:
            going.take(purchase, explains=purchase.purchase_id in told)
    return going


def _fits(versions: Sequence[Version], others: Counts, before: Counts, after: Counts) -> bool:
    """True when no budget is drawn on beyond what it holds, and beyond what was drawn before."""
    most: dict[str, int] = {}
    for version in versions:
        for name, limit in version.rules.budget_limits.items():
            most[name] = max(limit, most.get(name, 0))
    return all(
        amount <= before.get(counter, 0) or amount + others.get(counter, 0) <= most.get(counter[0], 0)
        for counter, amount in after.items()
    )


def _find_cause(key: str, before: Booked | None, after: Booked | None, changed: Collection[str]) -> Cause:
    if after is None:
        return Cause.CANCELLED
    if before is None:
        return Cause.LATE
    return Cause.CORRECTED if key in changed else Cause.CONSEQUENCE


def compare(
    key: str, before: Booked | None, after: Booked | None, *, cause: Cause, effective_from: date
) -> list[Delta]:
    """Return the deltas that turn what was booked for a purchase into what should be; none of them is zero."""
    old, new = _by_terms(before), _by_terms(after)
    deltas: list[Delta] = []
    for currency in sorted({*old, *new}):
        held, wanted = old.get(currency, {}), new.get(currency, {})
        for terms in sorted({*held, *wanted}, key=_sort_terms):
            points = wanted.get(terms, 0) - held.get(terms, 0)
            side = after if terms in wanted else before
            if points and side is not None:
                deltas.append(
                    Delta(
                        purchase_id=key,
                        currency=currency,
                        terms=terms,
                        points=points,
                        effective_on=max(side.business_on, effective_from),
                        cause=cause,
                    )
                )
    return deltas


def _by_terms(booked: Booked | None) -> dict[str, dict[Terms, int]]:
    found: dict[str, dict[Terms, int]] = {}
    for lot in booked.lots if booked else ():
        held = found.setdefault(lot.currency, {})
        held[lot.terms] = held.get(lot.terms, 0) + lot.points
    return found


def _sort_terms(terms: Terms) -> tuple[date, date, str, date]:
    return (
        terms.available_from or date.max,
        terms.expires_on or date.max,
        terms.awaits or "",
        terms.waits_until or date.max,
    )


def _add(counts: dict[Counter, int], more: Sequence[Count], *, sign: int) -> None:
    for count in more:
        counts[count.counter] = counts.get(count.counter, 0) + sign * count.amount


def _draw(budgets: dict[Counter, int], booked: Booked, *, sign: int) -> None:
    for counter, amount in sum_draws([booked], is_net=True).items():
        budgets[counter] = budgets.get(counter, 0) + sign * amount


def _adjust(
    versions: Sequence[Version],
    person: Person,
    purchases: Sequence[Purchase],
    booked: Mapping[str, Booked],
    *,
    changed: Collection[str],
    today: date,
    budgets: dict[Counter, int],
    explains: bool,
) -> Correction:
    stand = dict(booked)
    earnings: dict[str, Earning] = {}
    deltas: list[Delta] = []
    known = {each.purchase_id: each for each in purchases}
    for key in sorted(set(changed) - set(known)):
        before = stand.pop(key, None)
        if before is not None:
            _draw(budgets, before, sign=-1)
            deltas += compare(key, before, None, cause=Cause.CANCELLED, effective_from=today)
    for purchase in sort_purchases(known[key] for key in changed if key in known):
        before = stand.pop(purchase.purchase_id, None)
        if before is not None:
            _draw(budgets, before, sign=-1)
        rules = pick_version(versions, to_business_day(purchase.occurred_at, versions[-1].rules.zone))
        member = _stand_on(purchase, rules, person, stand)
        own, still = (sum_draws([before] if before else [], is_net=each) for each in (False, True))
        earning = evaluate(purchase, member, rules, budgets=budgets, reserves=own, explains=explains)
        wanted = book(purchase, earning, rules)
        if own != still and not _fits(versions, budgets, still, sum_draws([wanted], is_net=True)):
            earning = evaluate(purchase, member, rules, budgets=budgets, reserves=still, explains=explains)
            wanted = book(purchase, earning, rules)
        after = _forward(before, wanted, rules, purchase=purchase, today=today)
        cause = Cause.LATE if before is None else Cause.CORRECTED
        deltas += compare(purchase.purchase_id, before, after, cause=cause, effective_from=today)
        stand[purchase.purchase_id] = after
        _draw(budgets, after, sign=1)
        if explains:
            earnings[purchase.purchase_id] = earning
    return Correction(deltas=tuple(deltas), booked=stand, earnings=earnings)


def _stand_on(purchase: Purchase, rules: Rules, person: Person, stand: Mapping[str, Booked]) -> Member:
    """Return the member at the tier of the purchase's day by what is booked, with the caps as they stand today."""
    day = to_business_day(purchase.occurred_at, rules.zone)
    counts: dict[Counter, int] = {}
    entries: dict[str, list[Qualifying]] = {kind: list(each) for kind, each in person.other_points.items()}
    for each in stand.values():
        _add(counts, each.counts, sign=1)
        for kind, points in sum_lots(each.lots).items():
            entries.setdefault(kind, []).append(Qualifying(earned_on=each.business_on, points=points))
    tiers: dict[str, str | None] = {}
    for ladder, kind in zip(rules.ladders, rules.ladder_points, strict=True):
        held = entries.get(kind, [])
        tiers[ladder.name] = walk(ladder, held, begins_on=person.enrolled_on or day, on=day).level_name
    return Member(
        enrolled_on=person.enrolled_on,
        tiers=tiers,
        purchase_count=sum(each.is_counted for each in stand.values()),
        counts=counts,
        attributes=person.attributes,
    )


def _forward(before: Booked | None, wanted: Booked, rules: Rules, *, purchase: Purchase, today: date) -> Booked:
    """Keep the lots that are there; what is missing is a new lot as of today, what is too much is taken pro rata.

    What waits for an event goes by what has happened since.
    """
    stand = [
        msgspec.structs.replace(lot, terms=rules.find_terms(lot.terms, purchase))
        for lot in (before.lots if before else ())
    ]
    stand = [lot for lot in stand if not is_lapsed(lot.terms, purchase.known_on)]
    held, due = sum_lots(stand), sum_lots(wanted.lots)
    lots: list[Lot] = []
    for currency in sorted({*held, *due}):
        there = [lot for lot in stand if lot.currency == currency]
        had, has = held.get(currency, 0), due.get(currency, 0)
        if has < had:
            parts = apportion_within(has, [lot.points for lot in there])
            there = [msgspec.structs.replace(lot, points=part) for lot, part in zip(there, parts, strict=True) if part]
        elif has > had:
            spec = rules.get_points(currency)
            terms = rules.find_terms(plan_terms(spec.pending, spec.expiry, today), purchase)
            there.append(Lot(currency=currency, points=has - had, terms=terms))
        lots += there
    return msgspec.structs.replace(
        wanted, lots=tuple(lots), business_on=before.business_on if before is not None else wanted.business_on
    )
