"""How far a programme's definition runs today, and its rules made ready to run. Pure.

The engine decides more than the hub has facts for yet. What would be ignored is refused when a definition is validated:
nobody is promised points that nobody books.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from comity.activity.types import PurchaseRecorded
from comity.definitions.types import (
    ConditionInvalid,
    ProgrammeSpec,
    SlidingExpiry,
)
from comity.programme.engine import facts
from comity.programme.engine.compiling import Rules, compile_programme
from comity.programme.engine.days import to_business_day
from comity.programme.engine.replaying import Version, evaluate_batch, list_draws, pick_version
from comity.programme.kinds import list_kinds, split_points
from comity.programme.ladders import tell_levels
from comity.programme.simulating_types import Decided
from comity.programme.stands import PurchaseState
from comity.programme.types import Counted, Earning, EarnOutcome, Former, LockedMember, Programme

RUNNING = frozenset(
    {"title", "currency", "earning", "timezone", "enrol", "tiers", "points", "earning_rules", "stacking", "groups"}
    | {"transfers", "adjustments", "returns", "corrections", "brands", "exclusions", "redemptions", "budgets"}
    | {"rewards", "referral", "ladders", "pools"}
)
RUNNING_OF_RULES = frozenset(
    {
        *("name", "points", "rate", "fixed", "multiplier_percent", "of", "group", "rounding", "tiers", "when"),
        *("first_day", "last_day", "first_purchase", "amount_min_minor", "caps", "pending", "expiry"),
        *("per_item", "categories", "items", "channels", "stores", "brands", "budget"),
    }
)
RUNNING_OF_POINTS = frozenset(
    {"name", "label", "caps", "pending", "expiry", "worth", "warn_days", "qualifying", "spendable"}
)
KNOWN_WORDS = frozenset(
    {
        *("purchase.amount_minor", "purchase.currency", "purchase.occurred_on", "purchase.weekday", "purchase.hour"),
        *("purchase.channel", "purchase.store", "purchase.brand"),
        *("line.item", "line.category", "line.amount_minor", "line.quantity"),
        *("purchase.number", "loyalty.tier", "today"),
    }
)
"""Words of conditions that purchases and members have values for today."""

OUTCOMES = {
    facts.Outcome.EARNED: EarnOutcome.EARNED,
    facts.Outcome.NOTHING: EarnOutcome.NOTHING,
    facts.Outcome.NOT_POSITIVE: EarnOutcome.NOT_POSITIVE,
    facts.Outcome.OTHER_CURRENCY: EarnOutcome.OTHER_CURRENCY,
    facts.Outcome.OTHER_BRAND: EarnOutcome.OTHER_BRAND,
    facts.Outcome.TOO_LARGE: EarnOutcome.TOO_LARGE,
}


def find_ignored(spec: ProgrammeSpec) -> list[str]:
    """Return the fields of a valid programme that would be ignored, such as `earning_rules[2].categories`."""
    found = _list_set(spec, RUNNING)
    if spec.pools is not None and spec.pools.points not in {None, spec.points_specs[0].name}:
        found.append("pools.points")
    known = KNOWN_WORDS | {f"tier.{ladder.name}" for ladder in spec.ladder_specs}
    first = spec.points_specs[0].name
    sliding = {each.name for each in spec.points if isinstance(each.expiry, SlidingExpiry)}
    for place, points in enumerate(spec.points):
        found += [f"points[{place}].{name}" for name in _list_set(points, RUNNING_OF_POINTS)]
    for place, rule in enumerate(spec.earning_rules):
        found += [f"earning_rules[{place}].{name}" for name in _list_set(rule, RUNNING_OF_RULES)]
        if rule.expiry and ((rule.points or first) in sliding or isinstance(rule.expiry, SlidingExpiry)):
            found.append(f"earning_rules[{place}].expiry")  # Lots that slide beside others.
        alone = replace(spec, earning_rules=(rule,), exclusions=())
        if rule.when is not None and _words_of(alone) - known:
            found.append(f"earning_rules[{place}].when")
    for place, each in enumerate(spec.exclusions):
        alone = replace(spec, earning_rules=(), exclusions=(each,))
        if each.when is not None and _words_of(alone) - known:
            found.append(f"exclusions[{place}].when")
    return found


def find_awaited(spec: ProgrammeSpec) -> dict[str, str]:
    """Return the events that points of a programme wait for, by the field that says so."""
    lifetimes = {f"points[{place}]": each.pending for place, each in enumerate(spec.points)}
    lifetimes |= {f"earning_rules[{place}]": each.pending for place, each in enumerate(spec.earning_rules)}
    return {f"{path}.pending.until": each.until for path, each in lifetimes.items() if each and each.until}


def _list_set(spec: msgspec.Struct, running: frozenset[str]) -> list[str]:
    """Return the fields beside the running ones that hold something else than their default."""
    return [
        field.name
        for field in msgspec.structs.fields(spec)
        if field.name not in running and getattr(spec, field.name) != _default_of(field)
    ]


def _default_of(field: msgspec.structs.FieldInfo) -> Any:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def _words_of(alone: ProgrammeSpec) -> frozenset[str]:
    """Return the words of conditions; without attributes at hand, one of them is a word nobody knows."""
    try:
        return compile_programme("-", 0, alone).words
    except ConditionInvalid:
        return frozenset({"a golden attribute"})


@lru_cache(maxsize=64)
def make_ready(programme: Programme) -> Rules:
    """Compile the rules of a programme; once for each version."""
    return compile_programme(programme.name, programme.version, programme.spec)


def say_programme(
    name: str, spec: ProgrammeSpec, said: Iterable[tuple[datetime, int, ProgrammeSpec]], *, version: int = 0
) -> Programme:
    """Return a programme with what it said before, oldest first; of several versions of a day the last counts."""
    days: dict[date, Former] = {}
    for applied_at, number, each in said:
        first_day = to_business_day(applied_at, ZoneInfo(spec.timezone))
        days[first_day] = Former(first_day=first_day, spec=each, version=number)
    last_day = max(days, default=date.min)
    past = tuple(days[day] for day in sorted(days) if day < last_day)
    return Programme(name=name, spec=spec, version=version, first_day=last_day if past else date.min, past=past)


@lru_cache(maxsize=64)
def list_versions(programme: Programme) -> list[Version]:
    """Compile all that a programme ever said, with the day each began."""
    former = [
        Version(rules=compile_programme(programme.name, each.version, each.spec), first_day=each.first_day)
        for each in programme.past
    ]
    return [*former, Version(rules=make_ready(replace(programme, past=())), first_day=programme.first_day)]


def has_memory(rules: Rules) -> bool:
    """True when what a purchase earns depends on any other, be it only by the tier."""
    return needs_history(rules) or looks_at_tiers(rules)


def looks_at_tiers(rules: Rules) -> bool:
    """True when what a purchase earns depends on the member's tier on its day."""
    return any(each.tiers for each in rules.spec.earning_rules) or any(_is_tier(word) for word in rules.words)


def _is_tier(word: str) -> bool:
    return word == "loyalty.tier" or word.startswith("tier.")


def needs_history(rules: Rules) -> bool:
    """True when what a purchase earns depends on the purchases before it."""
    return (
        rules.has_limits
        or "purchase.number" in rules.words
        or any(each.first_purchase for each in rules.spec.earning_rules)
    )


def has_budgets(programme: Programme) -> bool:
    """True when what a purchase earns depends on what everybody else has earned."""
    return bool(programme.spec.budgets) or any(each.spec.budgets for each in programme.past)


def plan_earnings(
    purchases: Sequence[PurchaseRecorded],
    members: Mapping[int, LockedMember],
    programme: Programme,
    *,
    purchase_counts: Mapping[int, int],
    counted: Sequence[Counted],
    budgets: facts.Counts | None = None,
    explains: bool = False,
) -> list[Earning]:
    """Let purchases of members earn, each by what the programme said on its day; `members` are by place in `purchases`.

    `purchase_counts` and `counted` are what members have behind them, by member id; empty where rules do not ask.
    `budgets` are what all members have drawn.
    """
    counts: dict[int, dict[facts.Counter, int]] = {}
    for each in counted:
        counts.setdefault(each.member_id, {})[each.counter, each.period] = each.amount
    versions = list_versions(programme)
    latest = versions[-1].rules
    states = {
        str(member.member_id): facts.Member(
            tiers=tell_levels(latest.spec, member),
            purchase_count=purchase_counts.get(member.member_id, 0),
            counts=counts.get(member.member_id, {}),
        )
        for member in members.values()
    }
    usable: dict[int, list[int]] = {}
    found: dict[int, Earning] = {}
    for place in sorted(members):
        purchase = purchases[place]
        if _is_usable(purchase):
            day = to_business_day(purchase.occurred_at, latest.zone)
            at = 0 if len(versions) == 1 else versions.index(_pick(versions, day))
            usable.setdefault(at, []).append(place)
        else:
            found[place] = _refuse_outright(purchase, members[place], latest)
    shared, further = dict(budgets or {}), list_kinds(programme).further
    for at, places in usable.items():
        rules = versions[at].rules
        told = [(str(members[place].member_id), tell_purchase(purchases[place])) for place in places]
        results = evaluate_batch(rules, told, states, budgets=shared, explains=explains)
        for place, result in zip(places, results, strict=True):
            earning = _to_earning(purchases[place], members[place], result, rules, further)
            found[place] = replace(earning, explanation=result.explanation) if explains else earning
            for count in result.budget_counts:
                shared[count.counter] = shared.get(count.counter, 0) + count.amount
    return [found[place] for place in sorted(found)]


def _pick(versions: Sequence[Version], day: date) -> Version:
    rules = pick_version(versions, day)
    return next(each for each in versions if each.rules is rules)


def to_id(purchase_id: int) -> str:
    """Name a purchase to the engine, which takes those of one moment in the order of their ids."""
    return f"{purchase_id:020}"


def tell_purchase(told: PurchaseRecorded | PurchaseState | Decided) -> facts.Purchase:
    """Tell the engine of a purchase, but not of its returns."""
    details = told.details or {}
    return facts.Purchase(
        purchase_id=to_id(told.purchase_id),
        occurred_at=told.occurred_at,
        amount_minor=told.amount_minor,
        currency=told.currency,
        channel=details.get("channel"),
        store=details.get("store"),
        brand=details.get("brand"),
        lines=tuple(msgspec.convert(each, facts.Line) for each in details.get("lines", ())),
        events={} if isinstance(told, PurchaseRecorded) else _read_events(told.events),
    )


def _read_events(events: Mapping[str, str]) -> Mapping[str, datetime]:
    return {name: datetime.fromisoformat(moment) for name, moment in events.items()}


def _is_usable(purchase: PurchaseRecorded) -> bool:
    return not purchase.is_cancelled and abs(purchase.amount_minor) <= facts.AMOUNT_MAX


def _refuse_outright(purchase: PurchaseRecorded, member: LockedMember, rules: Rules) -> Earning:
    return Earning(
        purchase=purchase,
        member=member,
        points=0,
        outcome=(
            EarnOutcome.CANCELLED
            if purchase.is_cancelled
            else EarnOutcome.TOO_LARGE
            if purchase.amount_minor > 0
            else EarnOutcome.NOT_POSITIVE
        ),
        effective_on=purchase.occurred_at.astimezone(rules.zone).date(),
    )


def _to_earning(
    purchase: PurchaseRecorded, member: LockedMember, result: facts.Earning, rules: Rules, further: Sequence[str]
) -> Earning:
    outcome = OUTCOMES[result.outcome]
    points, further_points = split_points(result.points, further)
    if outcome is EarnOutcome.NOTHING and not rules.spec.earning_rules:
        outcome = EarnOutcome.BELOW_ONE_POINT
    return Earning(
        purchase=purchase,
        member=member,
        points=points,
        further_points=further_points,
        outcome=outcome,
        effective_on=result.business_on,
        lots=result.lots,
        counted=tuple(
            Counted(member_id=member.member_id, counter=count.counter[0], period=count.counter[1], amount=count.amount)
            for count in result.counts
        ),
        drawn=list_draws(result),
    )
