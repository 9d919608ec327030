"""What a purchase earns: points by kind, the lots they make, and the tree that explains every number.

Sources of the rules: a single rounding for each award and the parts by largest remainder; the best of several rules
instead of their sum where a group says so (Square takes the accrual rule that grants most); caps and budgets by
counters that come in with the member and go out as what is to be added.
"""

from collections.abc import Mapping, Sequence
from datetime import date

from comity.definitions.types import Stacking
from comity.programme.engine.arithmetic import apportion_within
from comity.programme.engine.asking import Asked
from comity.programme.engine.compiling import Limit, Rules
from comity.programme.engine.days import name_period
from comity.programme.engine.facts import (
    AMOUNT_MAX,
    Count,
    Counts,
    Earning,
    Lot,
    Member,
    Outcome,
    Purchase,
    Share,
    Step,
    StepKind,
)
from comity.programme.engine.granting import (
    Grant,
    count_grants,
    cut_grant,
    draw_budgets,
    find_places,
    grant_award,
    try_budgets,
)
from comity.programme.engine.lifetimes import is_lapsed

_NO_COUNTS: Counts = {}

UNTOLD = Step(kind=StepKind.PURCHASE)
"""The explanation of an earning that was asked for none."""


def evaluate(
    purchase: Purchase,
    member: Member,
    rules: Rules,
    *,
    budgets: Counts = _NO_COUNTS,
    reserves: Counts = _NO_COUNTS,
    explains: bool = True,
    tells_skipped: bool = False,
) -> Earning:
    """Return what a purchase earns a member by one version of the rules.

    The returns of the purchase are not looked at, nor what has lapsed: this is what it earned before any. `budgets` are
    the counters all members share, `reserves` what of them is this member's whatever others draw. With `tells_skipped`
    the explanation names the rules that did not hold, too; without `explains` there is none, and nothing else differs.
    Raises InvalidPurchase.
    """
    asked = Asked(
        purchase,
        member,
        zone=rules.zone,
        first_ladder=rules.first_ladder,
        budgets=budgets,
        reserves=reserves,
        explains=explains,
    )
    outcome = _find_refusal(purchase, rules)
    if outcome is not None:
        return _close(asked, rules, outcome, [], [])
    asides: list[Step] = []
    places: Sequence[int] = range(len(asked.lines))
    if rules.exclusions:
        places = _exclude(asked, rules, places, asides)
    grants = _collect(asked, rules, places, asides if explains and tells_skipped else None) if places else []
    _limit_totals(asked, rules, grants)
    total = sum([grant.points for grant in grants])
    if total > AMOUNT_MAX:
        return _close(asked, rules, Outcome.TOO_LARGE, [], [])
    return _close(asked, rules, Outcome.EARNED if total else Outcome.NOTHING, grants, asides)


def _find_refusal(purchase: Purchase, rules: Rules) -> Outcome | None:
    if purchase.currency != rules.spec.currency:
        return Outcome.OTHER_CURRENCY
    if rules.spec.brands and purchase.brand not in rules.spec.brands:
        return Outcome.OTHER_BRAND
    return None if purchase.amount_minor > 0 else Outcome.NOT_POSITIVE


def _exclude(asked: Asked, rules: Rules, places: Sequence[int], asides: list[Step]) -> Sequence[int]:
    """Return the lines that may earn; put down those that are excluded."""
    for exclusion in rules.exclusions:
        out = [place for place in places if all(test(asked, place) for test in exclusion.line_tests)]
        if out:
            places = [place for place in places if place not in out]
            asides += [
                Step(
                    kind=StepKind.EXCLUSION,
                    rule=exclusion.name,
                    inputs={"line": asked.lines[place].line_id, "amount_minor": asked.lines[place].amount_minor},
                )
                for place in out
            ]
    return places


def _collect(asked: Asked, rules: Rules, places: Sequence[int], skipped: list[Step] | None) -> list[Grant]:
    grants: list[Grant] = []
    rivals: dict[tuple[str, int], list[tuple[int, Sequence[int]]]] = {}
    for index, rule in enumerate(rules.awards):
        held = places if rule.is_open else find_places(rule, asked, places)
        if not held:
            if skipped is not None:
                skipped.append(Step(kind=StepKind.SKIPPED, rule=rule.name, inputs={"why": "does not hold"}))
        elif rule.stacking is Stacking.BEST_OF:
            rivals.setdefault((rule.group, rule.currency), []).append((index, held))
        else:
            grants += grant_award(rule, asked, held, rules.points[rule.currency].name)
    if rivals:
        try_budgets(grants, asked, rules)
        for group in sorted(rivals):
            grants += _take_best(asked, rules, rivals[group], skipped)
        asked.budget_counts = {}
    return grants


def _take_best(
    asked: Asked, rules: Rules, rivals: Sequence[tuple[int, Sequence[int]]], skipped: list[Step] | None
) -> list[Grant]:
    """Let the award that gives most give alone, with its multipliers and after its limits; of equals the first.

    What budgets leave of each is only tried here: they are drawn on when the caps of the kinds of points are known.
    """
    counts, budget_counts = dict(asked.counts), dict(asked.budget_counts)
    best: tuple[int, list[Grant], dict[tuple[str, str], int], dict[tuple[str, str], int]] | None = None
    told: list[tuple[str, int]] = []
    for index, held in rivals:
        asked.counts, asked.budget_counts = dict(counts), dict(budget_counts)
        rule = rules.awards[index]
        grants = grant_award(rule, asked, held, rules.points[rule.currency].name)
        points = try_budgets(grants, asked, rules)
        told.append((rule.name, points))
        if best is None or points > best[0]:
            best = (points, grants, asked.counts, asked.budget_counts)
    if best is None:
        return []
    _, grants, asked.counts, asked.budget_counts = best
    if skipped is not None:
        skipped += [
            Step(kind=StepKind.SKIPPED, rule=name, inputs={"why": "another gives more", "would_give": points})
            for name, points in told
            if name != grants[0].rule.name
        ]
    return grants


def _limit_totals(asked: Asked, rules: Rules, grants: Sequence[Grant]) -> None:
    """Let the caps of each kind of points reduce all that gives them, pro rata, and budgets what draws on them.

    What draws on a budget asks for its part of the cap, not for what it wanted: so it asks for the same when the
    purchase is worked out again after others have drawn. What a budget leaves of the cap the other rules may give.
    """
    capped = _find_capped(asked, rules, grants) if rules.has_point_limits else []
    for limit, room, given in capped:
        for grant, points in zip(given, apportion_within(room, [grant.points for grant in given]), strict=True):
            if grant.rule.budget is not None:
                _cap(grant, points, limit, asked, rules)
    if rules.has_limits:
        draw_budgets(grants, asked, rules)
    for limit, room, given in capped:
        free = [grant for grant in given if grant.rule.budget is None]
        left = room - sum([grant.points for grant in given if grant.rule.budget is not None])
        wanted = [grant.points for grant in free]
        for grant, points in zip(free, apportion_within(min(left, sum(wanted)), wanted), strict=True):
            _cap(grant, points, limit, asked, rules)


def _find_capped(asked: Asked, rules: Rules, grants: Sequence[Grant]) -> list[tuple[Limit, int, list[Grant]]]:
    """Return the tightest cap of each kind of points that is given beyond it, its room and what gives the points."""
    found: list[tuple[Limit, int, list[Grant]]] = []
    for place, limits in enumerate(rules.point_limits):
        rooms = [max(limit.most - _count_used(limit, asked), 0) for limit in limits]
        given = [grant for grant in grants if grant.rule.currency == place and grant.points]
        if rooms and sum([grant.points for grant in given]) > min(rooms):
            room = min(rooms)
            found.append((limits[rooms.index(room)], room, given))
    return found


def _count_used(limit: Limit, asked: Asked) -> int:
    return asked.member.counts.get((limit.counter, name_period(asked.business_on, limit.period)), 0)


def _cap(grant: Grant, points: int, limit: Limit, asked: Asked, rules: Rules) -> None:
    if points < grant.points:
        told: dict[str, int | str | date] = {
            "cap": limit.counter,
            "most": limit.most,
            "used": _count_used(limit, asked),
        }
        cut_grant(grant, asked, points, StepKind.CAP, inputs=told, currency=rules.points[grant.rule.currency].name)


def _close(asked: Asked, rules: Rules, outcome: Outcome, grants: Sequence[Grant], asides: Sequence[Step]) -> Earning:
    counts, budget_counts = count_grants(asked, rules, grants) if rules.has_limits else (_NO_COUNTS, _NO_COUNTS)
    lines = asked.lines
    shares: list[Share] = []
    lot_points: dict[tuple[int, int], int] = {}
    lot_places: dict[tuple[int, int], int] = {}
    for grant in grants:
        if not grant.points:
            continue
        rule = grant.rule
        lot = (rule.currency, grant.award.terms)
        place = lot_places.setdefault(lot, len(lot_places))
        lot_points[lot] = lot_points.get(lot, 0) + grant.points
        for line, part in zip(grant.places, grant.parts, strict=True):
            if part:
                shares.append(Share(rule=rule.name, line_id=lines[line].line_id, lot=place, points=part))
    points: dict[str, int] = {}
    lots: list[Lot] = []
    for (currency, terms), amount in lot_points.items():
        name = rules.points[currency].name
        points[name] = points.get(name, 0) + amount
        lots.append(
            Lot(currency=name, points=amount, terms=rules.follow_terms(terms, asked.business_on, asked.purchase))
        )
    return Earning(
        purchase_id=asked.purchase.purchase_id,
        programme=rules.programme,
        version=rules.version,
        outcome=outcome,
        business_on=asked.business_on,
        points=points,
        lots=tuple(lots),
        shares=tuple(shares),
        line_minor={line.line_id: line.amount_minor for line in lines},
        counts=_list_counts(counts),
        budget_counts=_list_counts(budget_counts),
        budget_before=tuple(
            Count(counter=counter, amount=amount) for counter, amount in sorted(asked.budget_before.items())
        ),
        explanation=_explain(asked, rules, outcome, grants, lots=lots, asides=asides) if asked.explains else UNTOLD,
    )


def _explain(
    asked: Asked,
    rules: Rules,
    outcome: Outcome,
    grants: Sequence[Grant],
    *,
    lots: Sequence[Lot],
    asides: Sequence[Step],
) -> Step:
    """Return the tree: who asked what, the totals with all that made them, the lots, and what gave nothing."""
    steps: list[Step] = []
    for place, spec in enumerate(rules.points if grants else ()):
        parts = [step for grant in grants if grant.rule.currency == place for step in grant.steps]
        if parts:
            total = sum([step.points for step in parts])
            steps.append(Step(kind=StepKind.TOTAL, points=total, currency=spec.name, steps=tuple(parts)))
    steps += [_tell_lot(lot, asked.purchase.known_on) for lot in lots]
    inputs: dict[str, int | str | date] = {
        "programme": rules.programme,
        "version": rules.version,
        "purchase": asked.purchase.purchase_id,
        "business_on": asked.business_on,
        "amount_minor": asked.purchase.amount_minor,
        "outcome": outcome,
    }
    for ladder, level in asked.member.tiers.items():
        inputs[f"tier.{ladder}"] = level or ""
    return Step(kind=StepKind.PURCHASE, inputs=inputs, steps=(*steps, *asides))


def _tell_lot(lot: Lot, known_on: date | None) -> Step:
    terms = lot.terms
    inputs: dict[str, int | str | date] = {}
    if terms.available_from is not None:
        inputs["available_from"] = terms.available_from
    if terms.awaits is not None:
        inputs["awaits"] = terms.awaits
    if terms.waits_until is not None and is_lapsed(terms, known_on):
        inputs["lapsed_on"] = terms.waits_until
    if terms.expires_on is not None:
        inputs["expires_on"] = terms.expires_on
    return Step(kind=StepKind.LOT, points=lot.points, currency=lot.currency, inputs=inputs)


def _list_counts(counts: Mapping[tuple[str, str], int]) -> tuple[Count, ...]:
    if not counts:
        return ()
    return tuple(Count(counter=counter, amount=amount) for counter, amount in sorted(counts.items()) if amount)
