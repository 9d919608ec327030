"""Checks of earning rules: each says one thing, names what exists, and can have an effect."""

from collections.abc import Iterator, Sequence
from datetime import date

from comity.definitions.checks_points import check_caps, check_levels_exist, check_lifetime
from comity.definitions.checks_shared import Found, Path, Project, check_condition, check_unique, find_name
from comity.definitions.shape import suggest
from comity.definitions.types_attribute import AttributeType
from comity.definitions.types_earning import EarningRule
from comity.definitions.types_points import CapPeriod
from comity.definitions.types_programme import BASE_RULE, ProgrammeSpec, condition_words

_AWARDS = ("rate", "per_item", "fixed", "multiplier_percent")


def check_earning(spec: ProgrammeSpec, project: Project) -> Iterator[Found]:
    """The rules, groups, exclusions and budgets of a programme fit each other."""
    rules = spec.earning_rules
    if spec.earning is None and not any(not rule.is_multiplier for rule in rules):
        message = "Nothing earns points in this programme."
        yield Found(path=("earning_rules",), message=message, remedy="Add `earning`, or a rule with rate or fixed.")
    words = condition_words(spec, {name: each.type for name, each in project.attributes.items()}, has_lines=True)
    yield from _check_names(spec)
    for index, rule in enumerate(rules):
        path: Path = ("earning_rules", index)
        yield from _check_award(rule, path=path)
        yield from _check_references(rule, spec, path=path)
        yield from _check_caps_of(rule, path=(*path, "caps"))
        yield from _check_filters(rule, spec, project, words, path=path)
        points = find_name(rule.points, spec.points_specs)
        pending = rule.pending or (points.pending if points else None)
        if rule.pending is not None or rule.expiry is not None:
            yield from check_lifetime(pending, rule.expiry or (points.expiry if points else None), path=path)
    for index, exclusion in enumerate(spec.exclusions):
        path = ("exclusions", index)
        if not (exclusion.categories or exclusion.items or exclusion.when):
            message = "It excludes everything."
            yield Found(path=path, message=message, remedy="Name categories or items, or write a condition.")
        if exclusion.when is not None:
            yield from check_condition(exclusion.when, project, path=(*path, "when"), words=words)
    yield from _check_budgets(spec)


def _check_names(spec: ProgrammeSpec) -> Iterator[Found]:
    """Rules may share a name when one follows the other in time."""
    rules = spec.earning_rules
    for index, rule in enumerate(rules):
        path: Path = ("earning_rules", index)
        if rule.name == BASE_RULE and spec.earning is not None:
            message = "The rule base stands in `earning` already."
            yield Found(path=(*path, "name"), message=message, remedy="Give it another name, or remove `earning`.")
        if rule.first_day and rule.last_day and rule.last_day < rule.first_day:
            yield Found(path=(*path, "last_day"), message="It ends before it begins.", remedy="Exchange the two days.")
        other = next((each for each in rules[:index] if each.name == rule.name and _overlap(each, rule)), None)
        if other is not None:
            message = f"There are two rules called {rule.name} on the same days."
            remedy = "Give each its own name, or let one begin after the other has ended."
            yield Found(path=(*path, "name"), message=message, remedy=remedy)
    yield from check_unique([each.name for each in spec.groups], path=("groups",), what="groups")
    yield from check_unique([each.name for each in spec.exclusions], path=("exclusions",), what="exclusions")
    yield from check_unique([each.name for each in spec.budgets], path=("budgets",), what="budgets")


def _overlap(first: EarningRule, second: EarningRule) -> bool:
    starts = max(first.first_day or date.min, second.first_day or date.min)
    return starts <= min(first.last_day or date.max, second.last_day or date.max)


def _check_award(rule: EarningRule, *, path: Path) -> Iterator[Found]:
    said = [name for name in _AWARDS if getattr(rule, name) is not None]
    if len(said) != 1:
        message = f"The rule {rule.name} says {' and '.join(said) if said else 'not what it gives'}."
        yield Found(path=path, message=message, remedy=f"Write exactly one of {', '.join(_AWARDS)}.")
        return
    if rule.of and not rule.is_multiplier:
        yield Found(path=(*path, "of"), message="Only a multiplier is for other rules.", remedy="Remove it.")
    for name in ("rounding", "pending", "expiry") if rule.is_multiplier else ():
        if getattr(rule, name) is not None:
            message = f"A multiplier takes its {name} from the rule it multiplies."
            yield Found(path=(*path, name), message=message, remedy="Write it there.")


def _check_references(rule: EarningRule, spec: ProgrammeSpec, *, path: Path) -> Iterator[Found]:
    known = [each.name for each in spec.points_specs]
    points = find_name(rule.points, spec.points_specs)
    if points is None:
        message = f"There are no points '{rule.points}'."
        yield Found(path=(*path, "points"), message=message, remedy=suggest(str(rule.points), known, what="Points"))
    for field, name, names in (
        ("group", rule.group, [each.name for each in spec.groups]),
        ("budget", rule.budget, [each.name for each in spec.budgets]),
    ):
        if name is not None and name not in names:
            message = f"There is no {field} '{name}'."
            yield Found(path=(*path, field), message=message, remedy=suggest(name, names, what=f"{field.title()}s"))
    awards = {each.name: each for each in spec.earning_rules if not each.is_multiplier}
    names = [*awards, *([BASE_RULE] if spec.earning is not None else [])]
    for index, name in enumerate(rule.of):
        award = awards.get(name)
        if name not in names:
            message = f"There is no award '{name[:60]}'."
            yield Found(path=(*path, "of", index), message=message, remedy=suggest(name, names, what="Awards"))
        elif points != find_name(award.points if award else None, spec.points_specs):
            message = f"The award {name} gives other points."
            yield Found(path=(*path, "of", index), message=message, remedy="Let both name the same points.")


def _check_caps_of(rule: EarningRule, *, path: Path) -> Iterator[Found]:
    yield from check_caps(rule.caps, path=path)
    least = rule.fixed or rule.per_item or 0
    for index, cap in enumerate(rule.caps):
        if cap.points is not None and cap.points < least:
            message = f"The cap of {cap.points} is less than the {least} points the rule gives at once."
            yield Found(path=(*path, index), message=message, remedy="Raise the cap or lower the points.")


def _check_filters(
    rule: EarningRule, spec: ProgrammeSpec, project: Project, words: dict[str, AttributeType], *, path: Path
) -> Iterator[Found]:
    yield from check_levels_exist(rule.tiers, spec, path=(*path, "tiers"))
    if rule.when is not None:
        yield from check_condition(rule.when, project, path=(*path, "when"), words=words)
    for index, brand in enumerate(rule.brands):
        if spec.brands and brand not in spec.brands:
            message = f"Purchases of the brand '{brand[:60]}' earn nothing in this programme."
            yield Found(
                path=(*path, "brands", index), message=message, remedy=suggest(brand, spec.brands, what="Brands")
            )
    yield from _check_excluded(rule, spec, path=path)


def _check_excluded(rule: EarningRule, spec: ProgrammeSpec, *, path: Path) -> Iterator[Found]:
    """A rule for categories that are all excluded never gives anything."""
    for field in ("categories", "items"):
        named: Sequence[str] = getattr(rule, field)
        excluded = {word for each in spec.exclusions if each.when is None for word in getattr(each, field)}
        if named and excluded.issuperset(named):
            message = f"All its {field} are excluded."
            yield Found(
                path=(*path, field), message=message, remedy="Take them out of `exclusions`, or remove the rule."
            )


def _check_budgets(spec: ProgrammeSpec) -> Iterator[Found]:
    for index, budget in enumerate(spec.budgets):
        path: Path = ("budgets", index)
        if budget.points is None and budget.money_minor is None:
            message = "The budget has no limit."
            yield Found(path=path, message=message, remedy="Write points or money_minor.")
        if budget.per is CapPeriod.PURCHASE:
            message = "A budget is for many purchases."
            yield Found(path=(*path, "per"), message=message, remedy="Write a period, or cap the rule instead.")
        using = [rule for rule in spec.earning_rules if rule.budget == budget.name]
        if budget.money_minor is None:
            continue
        for rule in using:
            points = find_name(rule.points, spec.points_specs)
            if points is not None and points.worth is None:
                message = f"What the points '{points.name}' of the rule {rule.name} are worth is not known."
                remedy = "Write `worth: {points: 100, minor: 50}` at the points."
                yield Found(path=(*path, "money_minor"), message=message, remedy=remedy)
                break
