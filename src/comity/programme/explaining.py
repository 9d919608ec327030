"""Why a stored purchase earned what it earned: decided once more, from what was before it, with every step told.

What the hub books is not written down as a story. It is derived again: the version in force, the tier, what caps had
counted. Purchases are taken as they came in, or, where that does not give what is booked, in the order of their time,
or as all of them are known now, with what was returned (a correction may have derived them anew). When none of it does,
the answer says so.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

import msgspec

from comity.definitions import api as definitions
from comity.definitions.types import DocumentUnknown, Kind, ProgrammeSpec
from comity.kernel.database import Tx
from comity.programme import store_history as store
from comity.programme.budgets import add_up
from comity.programme.engine import facts
from comity.programme.engine.compiling import Rules, compile_programme
from comity.programme.engine.days import to_business_day
from comity.programme.engine.evaluating import evaluate
from comity.programme.engine.replaying import Person, replay, sum_lots
from comity.programme.engine.tiers import Qualifying
from comity.programme.history import is_usable, to_facts
from comity.programme.kinds import list_kinds, split_points
from comity.programme.ladders import find_levels, gather
from comity.programme.rules import to_local_date
from comity.programme.running import list_versions, say_programme, tell_purchase, to_id
from comity.programme.simulating_types import Decided, ExplainedEarning, VersionInForce
from comity.programme.store_budgets import list_drawn
from comity.programme.types import EarnOutcome

COUNTED = frozenset({EarnOutcome.EARNED, EarnOutcome.BELOW_ONE_POINT, EarnOutcome.NOTHING, EarnOutcome.LAPSED})

Order = tuple[Any, ...]


def explain_purchase(
    tx: Tx, *, purchase_id: int, now: datetime, programme: str | None = None
) -> list[ExplainedEarning]:
    """Explain what a purchase earned in each programme, or in one; empty where it was not looked at (yet)."""
    names = [each for each in store.list_programmes(tx, purchase_id=purchase_id) if programme in {None, each}]
    found: list[ExplainedEarning] = []
    for name in names:
        decided = store.list_decided(tx, purchase_id=purchase_id, programme=name)
        budgets = list_drawn(tx, programme=name) if any(each.drawn for each in decided) else {}
        versions = _list_versions(tx, name)
        found.append(
            explain(decided, purchase_id=purchase_id, programme=name, versions=versions, budgets=budgets, now=now)
        )
    return found


def _list_versions(tx: Tx, name: str) -> list[VersionInForce]:
    """Return what was in force from when on, first one first."""
    try:
        versions = definitions.list_versions(tx, kind=Kind.PROGRAMME, name=name, count_max=1_000)
    except DocumentUnknown:
        return []
    return [
        VersionInForce(version=each.version, applied_at=each.applied_at, spec=each.spec)
        for each in reversed(versions)
        if isinstance(each.spec, ProgrammeSpec) and not each.is_retired
    ]


def explain(
    decided: Sequence[Decided],
    *,
    purchase_id: int,
    programme: str,
    versions: Sequence[VersionInForce],
    budgets: facts.Counts,
    now: datetime,
) -> ExplainedEarning:
    """Explain one of the purchases of a member, given all that were decided, and what budgets have counted. Pure."""
    target = next(each for each in decided if each.purchase_id == purchase_id)
    known_on = to_local_date(now, versions[-1].spec.timezone) if versions else None
    further = list_further(versions)
    told: list[tuple[VersionInForce, facts.Earning]] = []
    exact: list[tuple[VersionInForce, facts.Earning]] = []
    for in_time in (False, True) if versions else ():
        told.append(_Reading(decided, programme, versions, in_time=in_time, known_on=known_on).tell(target))
        if split_points(told[-1][1].points, further) == target.split:
            exact = told[-1:]
            break
    if versions and not exact:
        exact = _replay(decided, target, programme, versions, budgets=budgets, known_on=known_on)
    version, earning = (exact or told or [(None, None)])[0]
    return ExplainedEarning(
        programme=programme,
        purchase_id=purchase_id,
        profile_id=target.profile_id,
        currency=target.currency,
        points=target.points,
        further_points=target.further_points,
        outcome=target.outcome,
        decided_at=target.earned_at,
        version=version.version if version else None,
        in_force_since=version.applied_at if version else None,
        is_exact=bool(exact),
        explanation=earning.explanation if earning else None,
    )


def _replay(
    decided: Sequence[Decided],
    target: Decided,
    programme: str,
    versions: Sequence[VersionInForce],
    *,
    budgets: facts.Counts,
    known_on: date | None,
) -> list[tuple[VersionInForce, facts.Earning]]:
    """Go through all that is known now; return what it says of the purchase where that is what is booked."""
    said = say_programme(
        programme, versions[-1].spec, [(each.applied_at, each.version, each.spec) for each in versions], version=-1
    )
    told = [to_facts(each, known_on=known_on) for each in decided if is_usable(each)]
    draws = [draw for each in decided for draw in each.draws]
    going = replay(
        list_versions(said),
        Person(),
        told,
        budgets=add_up([budgets, *({each.counter: -each.net} for each in draws)]),
        reserves=add_up({each.counter: each.amount} for each in draws),
        explains=True,
    )
    earning = going.earnings.get(to_id(target.purchase_id))
    if earning is None:
        return []
    stands = split_points(sum_lots(going.booked[earning.purchase_id].lots), list_further(versions))
    if stands != target.split:
        return []
    number = versions[-1].version if earning.version < 0 else earning.version
    return [(next(each for each in versions if each.version == number), earning)]


def list_further(versions: Sequence[VersionInForce]) -> tuple[str, ...]:
    """Return the kinds of points after the first that a programme has, or had."""
    if not versions:
        return ()
    told = [(each.applied_at, each.version, each.spec) for each in versions]
    return list_kinds(say_programme("-", versions[-1].spec, told)).further


class _Reading:
    """One way to put the purchases of a member in order: as they came in, or as they happened."""

    def __init__(
        self,
        decided: Sequence[Decided],
        programme: str,
        versions: Sequence[VersionInForce],
        *,
        in_time: bool,
        known_on: date | None,
    ) -> None:
        self._in_time = in_time
        self._known_on = known_on
        self._decided = sorted(decided, key=self._order)
        self._versions = [(each, compile_programme(programme, each.version, each.spec)) for each in versions]
        self._further = list_further(versions)
        self._tiers: dict[tuple[Order, int], dict[str, str]] = {}

    def _order(self, each: Decided) -> Order:
        """What comes before counts for caps; the hub takes those of one batch by their time."""
        in_time = (each.occurred_at, str(each.purchase_id))
        return in_time if self._in_time else (each.earned_at, *in_time)

    def _known_by(self, each: Decided) -> Order:
        """What comes before counts for the tier; within a batch it stays what it was."""
        return self._order(each) if self._in_time else (each.earned_at,)

    def tell(self, target: Decided) -> tuple[VersionInForce, facts.Earning]:
        """Go through what came before, as far as the rules look at it, and decide once more."""
        counts: dict[facts.Counter, int] = {}
        purchase_count = 0
        for each in self._decided:
            if each.purchase_id == target.purchase_id:
                break
            _, rules = self._pick(each)
            if rules.has_limits:
                _add(counts, self._decide(each, rules, purchase_count, counts).counts)
            purchase_count += each.outcome in COUNTED
        version, rules = self._pick(target)
        return version, self._decide(target, rules, purchase_count, counts, explains=True)

    def _decide(
        self,
        each: Decided,
        rules: Rules,
        purchase_count: int,
        counts: dict[facts.Counter, int],
        *,
        explains: bool = False,
    ) -> facts.Earning:
        amount = max(-facts.AMOUNT_MAX, min(facts.AMOUNT_MAX, each.amount_minor))
        purchase = msgspec.structs.replace(tell_purchase(each), amount_minor=amount, known_on=self._known_on)
        member = facts.Member(tiers=self._find_tiers(each, rules), purchase_count=purchase_count, counts=counts)
        return evaluate(
            purchase,
            member,
            rules,
            budgets={draw.counter: draw.before for draw in each.draws},
            reserves={draw.counter: draw.amount for draw in each.draws},
            explains=explains,
            tells_skipped=explains,
        )

    def _pick(self, each: Decided) -> tuple[VersionInForce, Rules]:
        """Return the version in force when it was decided."""
        begun = [version for version in self._versions if version[0].applied_at <= each.earned_at]
        return begun[-1] if begun else self._versions[0]

    def _find_tiers(self, each: Decided, rules: Rules) -> dict[str, str]:
        known_by = self._known_by(each)
        if (known_by, rules.version) not in self._tiers:
            on = to_business_day(each.occurred_at if self._in_time else each.earned_at, rules.zone)
            before = [other for other in self._decided if self._known_by(other) < known_by]
            qualified = gather(
                [Qualifying(earned_on=other.effective_on, points=other.points) for other in before],
                [
                    (kind, other.effective_on, points)
                    for other in before
                    for kind, points in (other.further_points or {}).items()
                ],
                self._further,
            )
            self._tiers[known_by, rules.version] = find_levels(rules.ladders, qualified, on=on)
        return self._tiers[known_by, rules.version]


def _add(counts: dict[facts.Counter, int], more: Iterable[facts.Count]) -> None:
    for each in more:
        counts[each.counter] = counts.get(each.counter, 0) + each.amount
