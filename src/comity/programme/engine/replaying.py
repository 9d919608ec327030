"""Many purchases: one call for a batch, and a member's whole history as it would have gone in the order of time.

A replay is how a late purchase is taken in, how a proposed version of a programme is tried on stored history, and what
tests hold everything else against. Purchases go in the order of their time, those of one moment by their id.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import msgspec

from comity.kernel.errors import Invalid
from comity.programme.engine.compiling import Rules
from comity.programme.engine.days import to_business_day
from comity.programme.engine.evaluating import evaluate
from comity.programme.engine.facts import Count, Counter, Counts, Draw, Earning, Lot, Member, Outcome, Purchase
from comity.programme.engine.granting import count_kept
from comity.programme.engine.lifetimes import is_lapsed
from comity.programme.engine.returning import Taken, count_returned, find_returned
from comity.programme.engine.tier_walk import Walk
from comity.programme.engine.tiers import Qualifying, sum_days

_COUNTED = frozenset({Outcome.EARNED, Outcome.NOTHING})
"""Purchases that make the next one not the first; what was refused does not."""


class NoVersion(Invalid):
    """A programme needs at least one version to evaluate by."""


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """Rules and the first day they are in force."""

    rules: Rules
    first_day: date


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a member for all of a replay.

    `other_points` are qualifying points that come from no purchase, by kind: adjustments, referrals.
    """

    enrolled_on: date | None = None
    attributes: Mapping[str, Any] = {}
    other_points: Mapping[str, tuple[Qualifying, ...]] = {}


class Booked(msgspec.Struct, frozen=True, kw_only=True):
    """What a purchase has earned, as it stands: lots after returns and lapses, what it counted and drew on budgets.

    `is_lapsed`: the event its points waited for did not come.
    """

    purchase_id: str
    business_on: date
    lots: tuple[Lot, ...]
    counts: tuple[Count, ...] = ()
    draws: tuple[Draw, ...] = ()
    is_counted: bool = True
    is_lapsed: bool = False


def pick_version(versions: Sequence[Version], day: date) -> Rules:
    """Return the rules in force on a day: the latest that had begun, or else the first of all. Raises NoVersion."""
    if not versions:
        raise NoVersion
    if len(versions) == 1:
        return versions[0].rules
    begun = [each for each in versions if each.first_day <= day]
    return max(begun, key=_rank).rules if begun else min(versions, key=_rank).rules


def _rank(version: Version) -> tuple[date, int]:
    return version.first_day, version.rules.version


def evaluate_batch(
    rules: Rules,
    purchases: Sequence[tuple[str, Purchase]],
    members: Mapping[str, Member],
    *,
    budgets: Counts | None = None,
    explains: bool = True,
) -> list[Earning]:
    """Return what many purchases earn by one version, each with the key of its member; results are in the order given.

    Purchases of one member, and draws on budgets, are taken in the order of time, so the order given does not matter.
    `members` is the state before all of them; tiers stay what they were. Raises InvalidPurchase.
    """
    states = dict(members)
    shared: dict[Counter, int] = dict(budgets or {})
    found: list[tuple[int, Earning]] = []
    order = sorted(range(len(purchases)), key=lambda place: _order(purchases[place][1]))
    for place in order:
        key, purchase = purchases[place]
        earning = evaluate(purchase, states[key], rules, budgets=shared, explains=explains)
        found.append((place, earning))
        states[key] = add_earning(states[key], earning)
        for count in earning.budget_counts:
            shared[count.counter] = shared.get(count.counter, 0) + count.amount
    return [earning for _, earning in sorted(found, key=lambda each: each[0])]


def add_earning(member: Member, earning: Earning) -> Member:
    """Return the state of a member after an earning; tiers are the caller's to follow."""
    counts = member.counts
    if earning.counts:
        counts = dict(counts)
        for count in earning.counts:
            counts[count.counter] = counts.get(count.counter, 0) + count.amount
    return Member(
        enrolled_on=member.enrolled_on,
        tiers=member.tiers,
        purchase_count=member.purchase_count + (earning.outcome in _COUNTED),
        counts=counts,
        attributes=member.attributes,
    )


def book(purchase: Purchase, earning: Earning, rules: Rules) -> Booked:
    """Return what stands after an earning, the returns of its purchase so far and what has lapsed.

    Raises InvalidReturn.
    """
    lots = earning.lots
    kept: Counts | None = None
    lapsed = [place for place, lot in enumerate(lots) if is_lapsed(lot.terms, purchase.known_on)]
    returned_minor = find_returned(purchase, rules.spec.returns, rules.zone)
    if lots and (returned_minor or lapsed):
        taken = _count_taken(earning, returned_minor, lapsed, rules)
        lots = tuple(
            msgspec.structs.replace(lot, points=lot.points - back)
            for lot, back in zip(lots, taken.by_lot, strict=True)
            if lot.points > back
        )
        if earning.budget_counts and taken.points:
            kept = _count_kept(earning, taken, rules)
    return Booked(
        purchase_id=purchase.purchase_id,
        business_on=earning.business_on,
        lots=lots,
        counts=earning.counts,
        draws=list_draws(earning, kept),
        is_counted=earning.outcome in _COUNTED,
        is_lapsed=bool(lapsed) and not lots,
    )


def _count_taken(earning: Earning, returned_minor: Mapping[str, int], lapsed: Collection[int], rules: Rules) -> Taken:
    """Return what returns take back in all, and all of the lots (by their places) that have lapsed."""
    taken = count_returned(earning, returned_minor, rounding=rules.spec.returns.rounding)
    if not lapsed:
        return taken
    return Taken(
        by_share=tuple(
            share.points if share.lot in lapsed else back
            for share, back in zip(earning.shares, taken.by_share, strict=True)
        ),
        by_lot=tuple(
            lot.points if place in lapsed else back
            for place, (lot, back) in enumerate(zip(earning.lots, taken.by_lot, strict=True))
        ),
    )


def _count_kept(earning: Earning, taken: Taken, rules: Rules) -> Counts:
    points: dict[str, int] = {}
    for share, back in zip(earning.shares, taken.by_share, strict=True):
        points[share.rule] = points.get(share.rule, 0) + share.points - back
    return count_kept(earning, points, rules)


def list_draws(earning: Earning, kept: Counts | None = None) -> tuple[Draw, ...]:
    """Return what an earning draws on the budgets it asked, and what it gave back where it keeps less."""
    if not earning.budget_before:
        return ()
    amounts = {each.counter: each.amount for each in earning.budget_counts}
    return tuple(
        Draw(
            counter=each.counter,
            amount=amounts.get(each.counter, 0),
            back=amounts[each.counter] - kept[each.counter] if kept and each.counter in kept else 0,
            before=each.amount,
        )
        for each in earning.budget_before
    )


def sum_draws(booked: Iterable[Booked], *, is_net: bool) -> dict[Counter, int]:
    """Return what purchases draw on budgets: still (`is_net`), or before anything was given back."""
    sums: dict[Counter, int] = {}
    for each in booked:
        for draw in each.draws:
            sums[draw.counter] = sums.get(draw.counter, 0) + (draw.net if is_net else draw.amount)
    return sums


Release = tuple[datetime, tuple[Draw, ...]]
"""What a purchase gave back to budgets, and from when on others may draw it."""


def find_release(purchase: Purchase, booked: Booked) -> Release | None:
    """Return what the returns of a purchase gave back, from the last of them on."""
    draws = tuple(draw for draw in booked.draws if draw.back)
    return (purchase.returns[-1].occurred_at, draws) if draws and purchase.returns else None


def find_peak(purchases: Sequence[Purchase], booked: Mapping[str, Booked]) -> dict[Counter, int]:
    """Return the most that purchases, in the order of time, drew on budgets at once."""
    known = {each.purchase_id for each in purchases}
    running = sum_draws((each for key, each in booked.items() if key not in known), is_net=False)
    peak = dict(running)
    waiting: list[Release] = []
    for purchase in purchases:
        stood = booked.get(purchase.purchase_id)
        if stood is None:
            continue
        for draw in _pop_released(waiting, purchase.occurred_at):
            running[draw.counter] -= draw.back
        for draw in stood.draws:
            running[draw.counter] = running.get(draw.counter, 0) + draw.amount
            peak[draw.counter] = max(peak.get(draw.counter, 0), running[draw.counter])
        release = find_release(purchase, stood)
        if release:
            waiting.append(release)
    return peak


def _pop_released(waiting: list[Release], moment: datetime) -> list[Draw]:
    """Return what has been given back by a moment, and let the rest wait."""
    due = [draw for released_at, draws in waiting if released_at <= moment for draw in draws]
    if due:
        waiting[:] = [each for each in waiting if each[0] > moment]
    return due


class Replay:
    """A member's history while it is gone through: tiers, counters and what every purchase earned."""

    def __init__(
        self,
        versions: Sequence[Version],
        person: Person,
        *,
        budgets: Counts | None = None,
        reserves: Counts | None = None,
    ) -> None:
        """Start before the first purchase. `budgets` are the shared counters without this history.

        `reserves` are what of the budgets is this member's, whatever others have drawn.
        """
        self.booked: dict[str, Booked] = {}
        self.earnings: dict[str, Earning] = {}
        self.counts: dict[Counter, int] = {}
        self.budgets: dict[Counter, int] = dict(budgets or {})
        self._reserves: dict[Counter, int] = dict(reserves or {})
        self._versions = versions
        self._person = person
        self._points: dict[str, list[tuple[date, int]]] = {}
        self._walks: dict[str, Walk] = {}
        self._tiers: dict[str, str | None] = {}
        self._walked: Rules | None = None
        self._waiting = {kind: sum_days(entries) for kind, entries in person.other_points.items()}
        self._purchase_count = 0
        self._releases: list[Release] = []

    def take(self, purchase: Purchase, *, explains: bool = False) -> Earning:
        """Let the next purchase, in the order of time, earn; with an explanation where one is asked for."""
        rules, day = self._begin(purchase)
        for draw in _pop_released(self._releases, purchase.occurred_at) if self._releases else ():
            self.budgets[draw.counter] -= draw.back
            if self._reserves:
                self._reserves[draw.counter] += draw.back
        member = Member(
            enrolled_on=self._person.enrolled_on,
            tiers=self._tiers,
            purchase_count=self._purchase_count,
            counts=self.counts,
            attributes=self._person.attributes,
        )
        earning = evaluate(purchase, member, rules, budgets=self.budgets, reserves=self._reserves, explains=explains)
        self.earnings[purchase.purchase_id] = earning
        for count in earning.budget_counts:
            self.budgets[count.counter] = self.budgets.get(count.counter, 0) + count.amount
            if self._reserves:
                self._reserves[count.counter] = self._reserves.get(count.counter, 0) - count.amount
        booked = book(purchase, earning, rules)
        release = find_release(purchase, booked)
        if release:
            self._releases.append(release)
        self._end(booked, rules, day)
        return earning

    def keep(self, purchase: Purchase, booked: Booked) -> None:
        """Let the next purchase, in the order of time, stand as it was booked; `budgets` hold what it drew already."""
        rules, day = self._begin(purchase)
        self._end(booked, rules, day)

    def _begin(self, purchase: Purchase) -> tuple[Rules, date]:
        if not self._versions:
            raise NoVersion
        day = to_business_day(purchase.occurred_at, self._versions[-1].rules.zone)
        rules = pick_version(self._versions, day)
        if self._walked is not rules:
            self._walk_anew(rules, day)
        for kind, entries in self._waiting.items():
            while entries and entries[0][0] <= day:
                self._add_points(rules, kind, *entries.pop(0))
        for walk in self._walks.values():
            walk.advance(day)
        self._tiers = {name: walk.level_name for name, walk in self._walks.items()}
        return rules, day

    def _walk_anew(self, rules: Rules, day: date) -> None:
        """A new version may have other ladders: everybody is placed on them by all they have earned so far."""
        self._walked = rules
        self._walks = {}
        for ladder, kind in zip(rules.ladders, rules.ladder_points, strict=True):
            entries = sorted(self._points.get(kind, ()))
            going = Walk(ladder, min([self._person.enrolled_on or day, day, *(each for each, _ in entries[:1])]))
            for earned_on, points in entries:
                going.add(earned_on, points)
            self._walks[ladder.name] = going

    def _add_points(self, rules: Rules, kind: str, day: date, points: int) -> None:
        self._points.setdefault(kind, []).append((day, points))
        for ladder, counted in zip(rules.ladders, rules.ladder_points, strict=True):
            if counted == kind:
                walk = self._walks[ladder.name]
                walk.add(max(day, walk.on), points)

    def _end(self, booked: Booked, rules: Rules, day: date) -> None:
        self.booked[booked.purchase_id] = booked
        self._purchase_count += booked.is_counted
        for count in booked.counts:
            self.counts[count.counter] = self.counts.get(count.counter, 0) + count.amount
        if rules.ladders or len(self._versions) > 1:
            for kind, points in sum_lots(booked.lots).items():
                self._add_points(rules, kind, day, points)


def sum_lots(lots: Iterable[Lot]) -> dict[str, int]:
    """Return the points of lots by kind."""
    points: dict[str, int] = {}
    for lot in lots:
        points[lot.currency] = points.get(lot.currency, 0) + lot.points
    return points


def _order(purchase: Purchase) -> tuple[Any, str]:
    return purchase.occurred_at, purchase.purchase_id


def sort_purchases(purchases: Iterable[Purchase]) -> list[Purchase]:
    """Return purchases in the order of time, those of one moment by their id."""
    return sorted(purchases, key=_order)


def replay(
    versions: Sequence[Version],
    person: Person,
    purchases: Iterable[Purchase],
    *,
    budgets: Counts | None = None,
    reserves: Counts | None = None,
    explains: bool = False,
) -> Replay:
    """Go through a member's whole history in the order of time; the earnings carry explanations when asked for.

    Raises InvalidPurchase, InvalidReturn, NoVersion.
    """
    going = Replay(versions, person, budgets=budgets, reserves=reserves)
    for purchase in sort_purchases(purchases):
        going.take(purchase, explains=explains)
    return going
