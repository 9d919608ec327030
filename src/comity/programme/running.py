"""How far a programme's definition runs today, and its rules made ready to run. Pure.

The engine decides more than the hub has facts for yet. What would be ignored is refused when a definition is validated:
nobody is promised points that nobody books.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from comity.activity.types import PurchaseRecorded
from comity.definitions.types import (
    TIERS_LADDER,
    ConditionInvalid,
    EarningRule,
    PointsSpec,
    ProgrammeSpec,
    SlidingExpiry,
)
from comity.programme.engine import facts
from comity.programme.engine.compiling import Rules, compile_programme
from comity.programme.engine.replaying import evaluate_batch
from comity.programme.types import Counted, Earning, EarnOutcome, LockedMember, Programme

RUNNING = frozenset(
    {"title", "currency", "earning", "timezone", "enrol", "tiers", "points", "earning_rules", "stacking", "groups"}
    | {"transfers", "adjustments"}
)
RUNNING_OF_RULES = frozenset(
    {
        *("name", "points", "rate", "fixed", "multiplier_percent", "of", "group", "rounding", "tiers", "when"),
        *("first_day", "last_day", "first_purchase", "amount_min_minor", "caps", "pending", "expiry"),
    }
)
RUNNING_OF_POINTS = frozenset({"name", "label", "caps", "pending", "expiry"})
KNOWN_WORDS = frozenset(
    {
        *("purchase.amount_minor", "purchase.currency", "purchase.occurred_on", "purchase.weekday", "purchase.hour"),
        *("purchase.number", "loyalty.tier", f"tier.{TIERS_LADDER}", "today"),
    }
)
"""Words of conditions that purchases and members have values for today."""

OUTCOMES = {
    facts.Outcome.EARNED: EarnOutcome.EARNED,
    facts.Outcome.NOTHING: EarnOutcome.NOTHING,
    facts.Outcome.NOT_POSITIVE: EarnOutcome.NOT_POSITIVE,
    facts.Outcome.OTHER_CURRENCY: EarnOutcome.OTHER_CURRENCY,
    facts.Outcome.TOO_LARGE: EarnOutcome.TOO_LARGE,
}


def find_ignored(spec: ProgrammeSpec) -> list[str]:
    """Return the fields of a valid programme that would be ignored, such as `earning_rules[2].categories`."""
    found = _list_set(spec, RUNNING)
    if len(spec.points) > 1:
        found.append("points[1]")
    for place, points in enumerate(spec.points[:1]):
        found += [f"points[{place}].{name}" for name in _list_set(points, RUNNING_OF_POINTS)]
        found += _list_lifetime(points, f"points[{place}]")
    for place, rule in enumerate(spec.earning_rules):
        found += [f"earning_rules[{place}].{name}" for name in _list_set(rule, RUNNING_OF_RULES)]
        found += _list_lifetime(rule, f"earning_rules[{place}]")
        if rule.when is not None and _words_of(spec, place) - KNOWN_WORDS:
            found.append(f"earning_rules[{place}].when")
    return found


def _list_lifetime(spec: PointsSpec | EarningRule, path: str) -> list[str]:
    """Return what of a lifetime needs facts that nobody reports yet: activity, and events that points wait for."""
    found: list[str] = []
    if spec.pending is not None and spec.pending.until is not None:
        found.append(f"{path}.pending.until")
    if isinstance(spec.expiry, SlidingExpiry):
        found.append(f"{path}.expiry.kind")
    return found


def _list_set(spec: msgspec.Struct, running: frozenset[str]) -> list[str]:
    """Return the fields beside the running ones that hold something else than their default."""
    return [
        field.name
        for field in msgspec.structs.fields(spec)
        if field.name not in running and getattr(spec, field.name) != _default_of(field)
    ]


def _default_of(field: msgspec.structs.FieldInfo) -> Any:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def _words_of(spec: ProgrammeSpec, place: int) -> frozenset[str]:
    """Return the words of one rule's condition; without attributes at hand, one of them is a word nobody knows."""
    alone = msgspec.structs.replace(spec, earning_rules=(spec.earning_rules[place],), exclusions=())
    try:
        return compile_programme("-", 0, alone).words
    except ConditionInvalid:
        return frozenset({"a golden attribute"})


@lru_cache(maxsize=64)
def make_ready(programme: Programme) -> Rules:
    """Compile the rules of a programme; once for each version."""
    return compile_programme(programme.name, programme.version, programme.spec)


def needs_history(rules: Rules) -> bool:
    """True when what a purchase earns depends on the purchases before it."""
    return (
        rules.has_limits
        or "purchase.number" in rules.words
        or any(each.first_purchase for each in rules.spec.earning_rules)
    )


def plan_earnings(
    purchases: Sequence[PurchaseRecorded],
    members: Mapping[int, LockedMember],
    programme: Programme,
    *,
    purchase_counts: Mapping[int, int],
    counted: Sequence[Counted],
) -> list[Earning]:
    """Let purchases of members earn, in the order of time; `members` are by place in `purchases`.

    `purchase_counts` and `counted` are what members have behind them, by member id; empty where rules do not ask.
    """
    rules = make_ready(programme)
    counts: dict[int, dict[facts.Counter, int]] = {}
    for each in counted:
        counts.setdefault(each.member_id, {})[each.counter, each.period] = each.amount
    states = {
        str(member.member_id): facts.Member(
            tiers={TIERS_LADDER: member.tier},
            purchase_count=purchase_counts.get(member.member_id, 0),
            counts=counts.get(member.member_id, {}),
        )
        for member in members.values()
    }
    places = [place for place in sorted(members) if abs(purchases[place].amount_minor) <= facts.AMOUNT_MAX]
    told = [(str(members[place].member_id), _to_facts(purchases[place])) for place in places]
    results = dict(zip(places, evaluate_batch(rules, told, states, explains=False), strict=True))
    return [
        _to_earning(purchases[place], members[place], results[place], rules)
        if place in results
        else _refuse_amount(purchases[place], members[place], rules)
        for place in sorted(members)
    ]


def _to_facts(purchase: PurchaseRecorded) -> facts.Purchase:
    return facts.Purchase(
        purchase_id=str(purchase.purchase_id),
        occurred_at=purchase.occurred_at,
        amount_minor=purchase.amount_minor,
        currency=purchase.currency,
    )


def _refuse_amount(purchase: PurchaseRecorded, member: LockedMember, rules: Rules) -> Earning:
    return Earning(
        purchase=purchase,
        member=member,
        points=0,
        outcome=EarnOutcome.TOO_LARGE if purchase.amount_minor > 0 else EarnOutcome.NOT_POSITIVE,
        effective_on=purchase.occurred_at.astimezone(rules.zone).date(),
    )


def _to_earning(purchase: PurchaseRecorded, member: LockedMember, result: facts.Earning, rules: Rules) -> Earning:
    outcome = OUTCOMES[result.outcome]
    if outcome is EarnOutcome.NOTHING and not rules.spec.earning_rules:
        outcome = EarnOutcome.BELOW_ONE_POINT
    return Earning(
        purchase=purchase,
        member=member,
        points=sum(result.points.values()),
        outcome=outcome,
        effective_on=result.business_on,
        lots=result.lots,
        counted=tuple(
            Counted(member_id=member.member_id, counter=count.counter[0], period=count.counter[1], amount=count.amount)
            for count in result.counts
        ),
    )
