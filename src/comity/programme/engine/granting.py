"""What one award gives: the exact ratio, its rounding, what multipliers add, and what caps and budgets leave of it.

The ratio of all fitting lines is rounded once, after each multiplier anew; the difference is the multiplier's. So the
sum is that of a single rounding, whatever the number of rules.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby
from math import gcd

from comity.definitions.types import CapPeriod, Stacking
from comity.programme.engine.arithmetic import apportion, apportion_within, round_ratio
from comity.programme.engine.asking import Asked
from comity.programme.engine.compiling import Budget, Limit, Rule, Rules
from comity.programme.engine.days import name_period
from comity.programme.engine.facts import Counter, Earning, Step, StepKind


class Grant:
    """What one rule gives: the parts are by place of the line; `steps` say how it came to that."""

    __slots__ = ("award", "parts", "places", "points", "rule", "steps")

    def __init__(self, rule: Rule, award: Rule, places: Sequence[int], points: int, parts: list[int]) -> None:
        """Take what the rule gives before its limits, and the award it belongs to."""
        self.rule = rule
        self.award = award
        self.places = places
        self.parts = parts
        self.points = points
        self.steps: list[Step] = []

    def cut(self, points: int) -> list[int]:
        """Reduce to so many points, pro rata; return what each line loses."""
        left = apportion_within(points, self.parts)
        lost = [part - rest for part, rest in zip(self.parts, left, strict=True)]
        self.parts, self.points = left, points
        return lost


def find_places(rule: Rule, asked: Asked, places: Sequence[int]) -> Sequence[int]:
    """Return which of the lines a rule holds for; none when it does not hold for the purchase."""
    for test in rule.purchase_tests:
        if not test(asked):
            return ()
    if rule.line_tests:
        places = [place for place in places if all(test(asked, place) for test in rule.line_tests)]
    if rule.amount_min_minor and sum([asked.lines[place].amount_minor for place in places]) < rule.amount_min_minor:
        return ()
    return places


def grant_award(rule: Rule, asked: Asked, places: Sequence[int], currency: str) -> list[Grant]:
    """Return what an award and its multipliers give for these lines, within the caps of their rules.

    Counts what it gives in `asked`. Budgets are asked later, by `draw_budgets`.
    """
    weights, of = _weigh(rule, asked, places)
    exact = sum(weights)
    points = round_ratio(exact, of, rule.rounding)
    grant = Grant(rule, rule, places, points, [points] if len(places) == 1 else apportion(points, weights))
    if asked.explains:
        grant.steps.append(
            Step(
                kind=StepKind.AWARD,
                points=points,
                rule=rule.name,
                currency=currency,
                inputs=_inputs(rule, asked, places),
                remainder=exact - points * of,
                remainder_of=of,
                steps=split_step(asked, grant.parts, places, currency),
            )
        )
    grants = [grant]
    if rule.multipliers:
        grants += _multiply(rule, asked, places, weights=weights, of=of, currency=currency)
    for each in grants:
        if each.rule.limits:
            limit_grant(each, asked, currency)
    return grants


def _weigh(rule: Rule, asked: Asked, places: Sequence[int]) -> tuple[list[int], int]:
    """Return the exact points of each line as numerators over one denominator."""
    lines = asked.lines
    if rule.rate is not None:
        points = rule.rate.points
        if len(places) == 1:
            return [lines[places[0]].amount_minor * points], rule.rate.per_minor
        return [lines[place].amount_minor * points for place in places], rule.rate.per_minor
    if rule.per_item:
        return [lines[place].quantity * rule.per_item for place in places], 1
    return apportion(rule.fixed, [lines[place].amount_minor for place in places]), 1


def _inputs(rule: Rule, asked: Asked, places: Sequence[int]) -> dict[str, int | str | date]:
    if rule.rate is not None:
        return {
            "amount_minor": sum([asked.lines[place].amount_minor for place in places]),
            "points": rule.rate.points,
            "per_minor": rule.rate.per_minor,
            "rounding": rule.rounding,
        }
    if rule.per_item:
        return {"quantity": sum(asked.lines[place].quantity for place in places), "points": rule.per_item}
    return {"points": rule.fixed}


def split_step(asked: Asked, parts: Sequence[int], places: Sequence[int], currency: str) -> tuple[Step, ...]:
    """Return how a number is split over several lines; one line needs no words."""
    if len(places) < 2:
        return ()
    return tuple(
        Step(
            kind=StepKind.LINE,
            points=part,
            currency=currency,
            inputs={"line": asked.lines[place].line_id, "amount_minor": asked.lines[place].amount_minor},
        )
        for part, place in zip(parts, places, strict=True)
    )


def _multiply(
    award: Rule, asked: Asked, places: Sequence[int], *, weights: list[int], of: int, currency: str
) -> Iterator[Grant]:
    fitting = [(each, found) for each in award.multipliers if (found := find_places(each, asked, places))]
    if not fitting:
        return
    of *= 100 ** len(fitting)
    before = [weight * 100 ** len(fitting) for weight in weights]
    rounded = round_ratio(sum(before), of, award.rounding)
    for rule, after in _chain(fitting, places, weights):
        exact = sum(after)
        total = round_ratio(exact, of, award.rounding)
        parts = [total - rounded]
        if len(places) > 1:
            parts = apportion(total - rounded, [new - old for new, old in zip(after, before, strict=True)])
        grant = Grant(rule, award, places, total - rounded, parts)
        if asked.explains:
            left = exact - total * of
            shared = gcd(left, of)
            inputs: dict[str, int | str | date] = {"of": award.name, "percent": rule.percent, "stacking": rule.stacking}
            grant.steps.append(
                Step(
                    kind=StepKind.BONUS,
                    points=grant.points,
                    rule=rule.name,
                    currency=currency,
                    inputs=inputs,
                    remainder=left // shared,
                    remainder_of=of // shared,
                    steps=split_step(asked, grant.parts, places, currency),
                )
            )
        before, rounded = after, total
        yield grant


def _chain(
    fitting: Sequence[tuple[Rule, Sequence[int]]], places: Sequence[int], weights: Sequence[int]
) -> Iterator[tuple[Rule, list[int]]]:
    """Yield the exact numerators after each multiplier, all over the award's denominator times 100 for each of them."""
    if len(fitting) == 1 and len(places) == 1:
        [(rule, _)], [weight] = fitting, weights  # Alone, every stacking comes to the same.
        yield rule, [weight * rule.percent]
        return
    done, used = [1] * len(places), 0
    for _, group in groupby(fitting, key=lambda each: each[0].group):
        members = [(rule, set(held)) for rule, held in group]
        factors, scale = [1] * len(places), 0
        if members[0][0].stacking is not Stacking.MULTIPLY:
            factors, scale = [100] * len(places), 1
        best = _find_best(members, places) if members[0][0].stacking is Stacking.BEST_OF else {}
        for rule, held in members:
            if rule.stacking is Stacking.MULTIPLY:
                scale += 1
                factors = [
                    factor * (rule.percent if place in held else 100)
                    for factor, place in zip(factors, places, strict=True)
                ]
            else:
                factors = [
                    factor + (rule.percent - 100) * (place in held and best.get(place, rule) is rule)
                    for factor, place in zip(factors, places, strict=True)
                ]
            spare = 100 ** (len(fitting) - used - scale)
            yield (
                rule,
                [weight * old * new * spare for weight, old, new in zip(weights, done, factors, strict=True)],
            )
        done = [old * new for old, new in zip(done, factors, strict=True)]
        used += scale


def _find_best(members: Sequence[tuple[Rule, set[int]]], places: Sequence[int]) -> dict[int, Rule]:
    """Return the highest multiplier of each line; of equal ones the first by name."""
    best: dict[int, Rule] = {}
    for place in places:
        held = [rule for rule, lines in members if place in lines]
        if held:
            best[place] = max(held, key=lambda rule: rule.percent)
    return best


def limit_grant(grant: Grant, asked: Asked, currency: str) -> None:
    """Let the caps of its rule reduce a grant, say so, and note what is left of it in `asked`."""
    rule = grant.rule
    for limit in rule.limits:
        counter = (limit.counter, name_period(asked.business_on, limit.period))
        used = asked.member.counts.get(counter, 0)
        if limit.is_times:
            room = grant.points if used < limit.most else 0
        else:
            room = max(limit.most - used - asked.counts.get(counter, 0), 0)
        if room < grant.points:
            cut_grant(grant, asked, room, StepKind.CAP, inputs=_told(limit, counter, used), currency=currency)
    if not grant.points:
        return
    for limit in rule.limits:
        counter = (limit.counter, name_period(asked.business_on, limit.period))
        if limit.is_times:
            asked.counts[counter] = 1
        else:
            asked.counts[counter] = asked.counts.get(counter, 0) + grant.points


def _told(limit: Limit, counter: Counter, used: int) -> dict[str, int | str | date]:
    told: dict[str, int | str | date] = {"cap": counter[0], "most": limit.most, "used": used}
    return told | ({"period": counter[1]} if counter[1] else {})


def cut_grant(
    grant: Grant, asked: Asked, points: int, kind: StepKind, *, inputs: dict[str, int | str | date], currency: str
) -> None:
    """Reduce a grant and put down why."""
    was = grant.points
    lost = grant.cut(points)
    if not asked.explains:
        return
    grant.steps.append(
        Step(
            kind=kind,
            points=points - was,
            rule=grant.rule.name,
            currency=currency,
            inputs=inputs,
            steps=split_step(asked, [-each for each in lost], grant.places, currency),
        )
    )


def count_grants(asked: Asked, rules: Rules, grants: Sequence[Grant]) -> tuple[dict[Counter, int], dict[Counter, int]]:
    """Return what the grants, as they are in the end, add to the member's counters and to those of budgets."""
    counts: dict[Counter, int] = {}
    budget_counts: dict[Counter, int] = {}
    for grant in grants:
        rule, points = grant.rule, grant.points
        if not points:
            continue
        for limit in (*rule.limits, *rules.point_limits[rule.currency]):
            if limit.period is not CapPeriod.PURCHASE:
                counter = (limit.counter, name_period(asked.business_on, limit.period))
                counts[counter] = 1 if limit.is_times else counts.get(counter, 0) + points
        if rule.budget is not None:
            for limit, cost in _cost(rule.budget, points):
                counter = (limit.counter, name_period(asked.business_on, limit.period))
                budget_counts[counter] = budget_counts.get(counter, 0) + cost
    return counts, budget_counts


def count_kept(earning: Earning, kept: Mapping[str, int], rules: Rules) -> Mapping[Counter, int]:
    """Return what a purchase draws on budgets when its rules keep so many of the points they gave."""
    costs: dict[tuple[str, str], int] = {}
    for award in rules.awards:
        for rule in (award, *award.multipliers):
            for limit, cost in _cost(rule.budget, kept.get(rule.name, 0)) if rule.budget is not None else ():
                costs[limit.counter, rule.name] = cost
    sums: dict[str, int] = {}
    for (counter, _), cost in costs.items():
        sums[counter] = sums.get(counter, 0) + cost
    return {each.counter: min(each.amount, sums.get(each.counter[0], 0)) for each in earning.budget_counts}


def _cost(budget: Budget, points: int) -> list[tuple[Limit, int]]:
    """Return what points cost a budget, in points and in minor units; a fraction of one counts as one."""
    costs = [(budget.points, points), (budget.money, -(-points * budget.worth_minor // budget.worth_points))]
    return [(limit, cost) for limit, cost in costs if limit is not None]


def draw_budgets(grants: Sequence[Grant], asked: Asked, rules: Rules) -> None:
    """Let budgets reduce grants in their order, say so, and count in `asked` what is drawn."""
    for grant in grants:
        if grant.rule.budget is not None and grant.points:
            _draw_budget(grant, grant.rule.budget, asked, rules.points[grant.rule.currency].name)


def try_budgets(grants: Sequence[Grant], asked: Asked, rules: Rules) -> int:
    """Return what budgets would leave of grants, which stay as they are; counts it in `asked` all the same."""
    tried = [Grant(each.rule, each.award, each.places, each.points, each.parts) for each in grants]
    draw_budgets(tried, asked, rules)
    return sum([each.points for each in tried])


def _draw_budget(grant: Grant, budget: Budget, asked: Asked, currency: str) -> None:
    for limit, is_money in ((budget.points, False), (budget.money, True)):
        if limit is None:
            continue
        counter = (limit.counter, name_period(asked.business_on, limit.period))
        before, own = asked.budgets.get(counter, 0), asked.budget_counts.get(counter, 0)
        asked.budget_before[counter] = before
        used = before + own
        room = max(limit.most - used, asked.reserves.get(counter, 0) - own, 0)
        if is_money and budget.worth_minor:
            room = room * budget.worth_points // budget.worth_minor
        if room < grant.points:
            granted = room if budget.gives_part else 0
            cut_grant(grant, asked, granted, StepKind.BUDGET, inputs=_told(limit, counter, used), currency=currency)
    for limit, cost in _cost(budget, grant.points):
        counter = (limit.counter, name_period(asked.business_on, limit.period))
        asked.budget_counts[counter] = asked.budget_counts.get(counter, 0) + cost
