"""Checks of programmes: points, tiers, rewards and limits fit each other. Earning rules have a file of their own."""

from collections.abc import Iterator, Sequence
from typing import Any
from zoneinfo import available_timezones

from comity.definitions.checks_earning import check_earning
from comity.definitions.checks_points import (
    check_caps,
    check_levels_exist,
    check_points,
    check_spendable,
    check_year_start,
)
from comity.definitions.checks_shared import (
    Found,
    Path,
    Project,
    check_condition,
    check_unique,
    find_name,
)
from comity.definitions.shape import suggest
from comity.definitions.types_programme import ProgrammeSpec, reward_words
from comity.definitions.types_rewards import RewardSpec
from comity.definitions.types_tiers import (
    CalendarWindow,
    Downgrade,
    LadderSpec,
    LifetimeWindow,
    RollingWindow,
    TierLevel,
)


def check_programme(name: str, spec: ProgrammeSpec, project: Project) -> Iterator[Found]:
    """Everything a programme names exists, nothing contradicts itself, and every condition compiles."""
    del name
    if spec.timezone not in available_timezones():
        remedy = suggest(spec.timezone, sorted(available_timezones()), what="Names")
        remedy = remedy.split("? ")[0] + "?" if remedy.startswith("Did") else "Write an IANA name, e.g. Europe/Berlin."
        yield Found(path=("timezone",), message=f"There is no time zone '{spec.timezone[:60]}'.", remedy=remedy)
    if spec.enrol.when is not None:
        yield from check_condition(spec.enrol.when, project, path=("enrol", "when"))
    yield from check_points(spec)
    yield from _check_tiers(spec)
    yield from check_earning(spec, project)
    yield from check_unique([each.name for each in spec.rewards], path=("rewards",), what="rewards")
    for index, reward in enumerate(spec.rewards):
        yield from _check_reward(reward, spec, project, path=("rewards", index))
    yield from _check_rest(spec)


def _check_tiers(spec: ProgrammeSpec) -> Iterator[Found]:
    if spec.tiers is not None:
        yield from _check_levels(spec.tiers.levels, path=("tiers", "levels"))
    names = [each.name for each in spec.ladder_specs]
    yield from check_unique(names, path=("ladders",), what="ladders", offset=len(names) - len(spec.ladders))
    for index, ladder in enumerate(spec.ladders):
        path: Path = ("ladders", index)
        yield from _check_levels(ladder.levels, path=(*path, "levels"))
        yield from _check_ladder(ladder, path=path)
    for index, ladder in enumerate(spec.ladder_specs):
        points = find_name(ladder.points, spec.points_specs)
        own = index - len(names) + len(spec.ladders)
        path = ("tiers",) if own < 0 else ("ladders", own, "points")
        if points is None:
            known = [each.name for each in spec.points_specs]
            remedy = suggest(str(ladder.points), known, what="Points")
            yield Found(path=path, message=f"There are no points '{ladder.points}'.", remedy=remedy)
        elif not points.qualifying:
            message = f"The points '{points.name}' do not qualify for tiers."
            yield Found(path=path, message=message, remedy="Name others, or write `qualifying: true` there.")


def _check_levels(levels: Sequence[TierLevel], *, path: Path) -> Iterator[Found]:
    if levels[0].points_from != 0:
        message = "The lowest level does not start at 0."
        yield Found(path=(*path, 0, "from"), message=message, remedy="Write 0.")
    names: set[str] = set()
    for index, level in enumerate(levels):
        is_above = not index or level.points_from > levels[index - 1].points_from
        if not is_above:
            yield Found(
                path=(*path, index, "from"),
                message=f"{level.name} does not start above {levels[index - 1].name}.",
                remedy="Order the levels from low to high, each with more points than the one before.",
            )
        if level.name.casefold() in names:
            message = f"There are two levels called {level.name}."
            yield Found(path=(*path, index, "name"), message=message, remedy="Give each its own name.")
        names.add(level.name.casefold())
        if level.keep_from is not None and level.keep_from > level.points_from:
            message = f"{level.name} is harder to keep than to reach."
            yield Found(path=(*path, index, "keep_from"), message=message, remedy="Lower it, at most to `from`.")
        elif index and is_above and _keep(level) < _keep(levels[index - 1]):
            message = f"{level.name} is easier to keep than {levels[index - 1].name} below it."
            yield Found(path=(*path, index, "keep_from"), message=message, remedy="Write at least what that one has.")


def _keep(level: TierLevel) -> int:
    return level.points_from if level.keep_from is None else level.keep_from


def _check_ladder(ladder: LadderSpec, *, path: Path) -> Iterator[Found]:
    window, valid = ladder.window, ladder.valid
    if isinstance(window, RollingWindow) and window.length.is_empty:
        message, remedy = "The window is empty.", "Write e.g. {months: 12}."
        yield Found(path=(*path, "window", "length"), message=message, remedy=remedy)
    if isinstance(window, CalendarWindow):
        yield from check_year_start(window.year_starts, path=(*path, "window", "year_starts"))
    if ladder.downgrade is Downgrade.IMMEDIATE:
        for field, is_set in (("valid", valid is not None), ("grace_days", ladder.grace_days > 0)):
            if is_set:
                message = "A level that is lost at once is not kept for a time."
                remedy = "Write `downgrade: at_period_end` or `one_level`, or leave this out."
                yield Found(path=(*path, field), message=message, remedy=remedy)
        return
    if isinstance(window, LifetimeWindow) and valid is None:
        message = "Points that count for ever give a level for ever; it has no period that ends."
        yield Found(
            path=(*path, "downgrade"), message=message, remedy="Write `immediate`, or say how long with `valid`."
        )
    if valid is None:
        return
    if valid.length.is_empty == (valid.next_years is None):
        message = "A level is kept either for a time or to the end of a year."
        yield Found(path=(*path, "valid"), message=message, remedy="Write {length: {months: 12}} or {next_years: 1}.")
    elif valid.next_years is not None and not isinstance(window, CalendarWindow):
        message = "Only a calendar window has programme years."
        yield Found(path=(*path, "valid", "next_years"), message=message, remedy="Write {length: {months: 12}}.")


def _check_reward(reward: RewardSpec, spec: ProgrammeSpec, project: Project, *, path: Path) -> Iterator[Found]:
    yield from check_spendable(reward.points, spec, path=(*path, "points"))
    yield from check_levels_exist(reward.tiers, spec, path=(*path, "tiers"))
    yield from check_caps(reward.caps, path=(*path, "caps"))
    if reward.first_day and reward.last_day and reward.last_day < reward.first_day:
        yield Found(path=(*path, "last_day"), message="It ends before it begins.", remedy="Exchange the two days.")
    if reward.voucher is not None and reward.voucher.valid.is_empty:
        message = "The voucher is never valid."
        yield Found(path=(*path, "voucher", "valid"), message=message, remedy="Write e.g. {months: 12}.")
    if reward.when is not None:
        types = {name: each.type for name, each in project.attributes.items()}
        words = reward_words(spec, types)
        yield from check_condition(reward.when, project, path=(*path, "when"), words=words)


def _check_rest(spec: ProgrammeSpec) -> Iterator[Found]:
    referral = spec.referral
    if referral is not None:
        if not referral.advocate_points and not referral.friend_points:
            message = "Nobody earns anything by a referral."
            yield Found(path=("referral",), message=message, remedy="Write advocate_points or friend_points.")
        if referral.matures_days < spec.returns.window_days:
            message = f"Referrals mature while purchases can still be returned ({spec.returns.window_days} days)."
            yield Found(path=("referral", "matures_days"), message=message, remedy="Let them mature later.")
        yield from check_caps(referral.caps, path=("referral", "caps"))
    for field in ("referral", "transfers", "pools"):
        part: Any = getattr(spec, field)
        if part is not None:
            yield from check_spendable(part.points, spec, path=(field, "points"))
    transfers, adjustments = spec.transfers, spec.adjustments
    if transfers is not None:
        yield from check_caps(transfers.caps, path=("transfers", "caps"))
        yield from check_levels_exist(transfers.tiers, spec, path=("transfers", "tiers"))
        if transfers.points_max is not None and transfers.points_max < transfers.points_min:
            message = "No transfer is large enough and small enough."
            yield Found(path=("transfers", "points_max"), message=message, remedy="Make it at least points_min.")
    if adjustments.points_max is not None and adjustments.checker_above > adjustments.points_max:
        message = "No adjustment that is allowed ever needs a second person."
        yield Found(path=("adjustments", "checker_above"), message=message, remedy="Make it less than points_max.")
