"""What simulations of parts of the members come to, put together. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from comity.definitions.types import ActivityKind, LadderSpec, ProgrammeSpec, SlidingExpiry
from comity.programme.simulating_types import (
    Figures,
    Gain,
    KindFigures,
    Month,
    Side,
    Simulation,
    TierCount,
    TierShift,
    Trial,
)

CONDITIONAL = (
    "Only purchases of those who were members then are counted; the condition to become one is not asked anew."
)


SHARED = "Members share budgets: the sample has its part of them."


def asks_members(trial: Trial) -> bool:
    """True when it matters who was a member: not everybody is one by one of the versions."""
    specs = (trial.running, trial.proposed)
    return any(spec is not None and not takes_all(spec) for spec in specs)


def asks_visits(trial: Trial) -> bool:
    """True when visits keep points alive by one of the versions."""
    kinds = [each.expiry for spec in (trial.running, trial.proposed) if spec is not None for each in spec.points_specs]
    return any(isinstance(each, SlidingExpiry) and ActivityKind.VISIT in each.activities for each in kinds)


def shares_budgets(trial: Trial) -> bool:
    """True when members touch each other by one of the versions."""
    return any(spec is not None and spec.budgets for spec in (trial.running, trial.proposed))


def takes_all(spec: ProgrammeSpec) -> bool:
    """True when everybody is a member."""
    return spec.enrol.automatic and spec.enrol.when is None


Shift = tuple[str, str | None, str | None]
"""A ladder, and the levels by the running version and by the proposed one; None: there is no such ladder."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What came out for a part of the members; parts add up, see `add_parts`."""

    purchase_count: int
    member_count: int
    running: Figures
    proposed: Figures
    kinds: dict[str, tuple[Figures, Figures]]
    tiers: dict[Shift, int]
    winners: Side
    losers: Side
    months: tuple[Month, ...]


def pick_largest(gains: Iterable[Gain], count: int) -> tuple[Gain, ...]:
    """Return the largest differences first, up or down; of equals the lower profile id."""
    return tuple(sorted(gains, key=lambda each: (-abs(each.points), each.profile_id))[:count])


def add_parts(parts: Sequence[Part], *, trial: Trial, sample_of: int = 1) -> Simulation:
    """Put together what came out for parts of the members; any partition of the members gives the same."""
    tiers: Counter[Shift] = Counter()
    months: dict[str, list[int]] = {}
    for part in parts:
        tiers.update(part.tiers)
        for month in part.months:
            sums = months.setdefault(month.month, [0, 0])
            sums[0] += month.running
            sums[1] += month.proposed
    ladders = {pair.name: _list_levels(pair) for pair in pair_ladders(trial)}
    return Simulation(
        programme=trial.programme,
        on=trial.on,
        sample_of=sample_of,
        purchase_count=sum(part.purchase_count for part in parts),
        member_count=sum(part.member_count for part in parts),
        running=_add_figures([part.running for part in parts]),
        proposed=_add_figures([part.proposed for part in parts]),
        kinds=_add_kinds(parts),
        tiers=tuple(
            TierCount(
                ladder=name,
                tier=level,
                running=sum(count for (on, before, _), count in tiers.items() if (on, before) == (name, level)),
                proposed=sum(count for (on, _, after), count in tiers.items() if (on, after) == (name, level)),
            )
            for name, levels in ladders.items()
            for level in levels
        ),
        tier_moves=tuple(
            TierShift(ladder=name, running=before, proposed=after, member_count=tiers[name, before, after])
            for name, levels in ladders.items()
            for before in levels
            for after in levels
            if before != after and tiers[name, before, after]
        ),
        winners=_add_sides([part.winners for part in parts], trial.top_count),
        losers=_add_sides([part.losers for part in parts], trial.top_count),
        months=tuple(Month(month=month, running=sums[0], proposed=sums[1]) for month, sums in sorted(months.items())),
        notes=_list_notes(trial, sample_of),
    )


class LadderPair(msgspec.Struct, frozen=True, kw_only=True):
    """A ladder by both versions, where both have it; `renamed` are levels that only got a new name, by the old one."""

    name: str
    running: LadderSpec | None
    proposed: LadderSpec | None
    renamed: dict[str | None, str] = {}

    def find_before(self, levels: Mapping[str, str | None]) -> str | None:
        """Return the level by the running version, by its new name where it only got one."""
        level = levels.get(self.running.name) if self.running is not None else None
        return self.renamed.get(level, level)


def pair_ladders(trial: Trial) -> list[LadderPair]:
    """Return the ladders of both versions, those of the proposed one first; a new name makes no new ladder."""
    running, proposed = (
        {each.name: each for each in spec.ladder_specs} if spec is not None else {}
        for spec in (trial.running, trial.proposed)
    )
    left = [each for name, each in running.items() if name not in proposed]
    pairs: list[LadderPair] = []
    for name, ladder in proposed.items():
        before = running.get(name) or next((each for each in left if _nameless(each) == _nameless(ladder)), None)
        if before in left:
            left.remove(before)
        pairs.append(LadderPair(name=name, running=before, proposed=ladder, renamed=_pair_levels(before, ladder)))
    return pairs + [LadderPair(name=each.name, running=each, proposed=None) for each in left]


def _nameless(ladder: LadderSpec) -> LadderSpec:
    return replace(ladder, name="", levels=tuple(replace(level, name="") for level in ladder.levels))


def _pair_levels(running: LadderSpec | None, proposed: LadderSpec) -> dict[str | None, str]:
    """Return the new names of levels of the same points; a name that both have stays what it is."""
    if running is None:
        return {}
    before = {level.points_from: level.name for level in running.levels}
    after = {level.points_from: level.name for level in proposed.levels}
    return {
        name: after[points]
        for points, name in before.items()
        if points in after and name not in after.values() and after[points] not in before.values()
    }


def _list_levels(pair: LadderPair) -> list[str | None]:
    """Return the levels of a ladder from low to high, those of the proposed one first; None is no such ladder."""
    levels: dict[str | None, None] = {}
    for ladder in (pair.proposed, pair.running):
        levels |= {pair.renamed.get(level.name, level.name): None for level in ladder.levels} if ladder else {}
        if ladder is None:
            levels = {None: None} | levels
    return list(levels)


def _add_figures(figures: Sequence[Figures]) -> Figures:
    return Figures(**{name: sum(getattr(each, name) for each in figures) for name in Figures.__struct_fields__})


def _add_kinds(parts: Sequence[Part]) -> tuple[KindFigures, ...]:
    """Return the figures kind by kind, where there are several by one of the versions."""
    names = dict.fromkeys(name for part in parts for name in part.kinds)
    if len(names) < 2:
        return ()
    nothing = (Figures(), Figures())
    return tuple(
        KindFigures(
            kind=name,
            running=_add_figures([part.kinds.get(name, nothing)[0] for part in parts]),
            proposed=_add_figures([part.kinds.get(name, nothing)[1] for part in parts]),
        )
        for name in names
    )


def _add_sides(sides: Sequence[Side], count: int) -> Side:
    return Side(
        member_count=sum(each.member_count for each in sides),
        points=sum(each.points for each in sides),
        largest=pick_largest((gain for each in sides for gain in each.largest), count),
    )


def _list_notes(trial: Trial, sample_of: int) -> tuple[str, ...]:
    notes = [CONDITIONAL] if asks_members(trial) else []
    return (*notes, SHARED) if sample_of > 1 and shares_budgets(trial) else tuple(notes)
