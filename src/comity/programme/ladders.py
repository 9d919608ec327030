"""Where members stand on the ladders of a programme: the engine's walk, and when to look again. Pure."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from uuid import UUID

import msgspec

from comity.definitions.types import LadderSpec, ProgrammeSpec
from comity.programme.engine.tiers import Qualifying, walk
from comity.programme.types import LockedMember, TierMove

_KEY_BYTES = 8


class Levels(msgspec.Struct, frozen=True, kw_only=True):
    """Levels on all ladders: that of the first one, and those of the others by name."""

    tier: str | None = None
    further_tiers: dict[str, str] | None = None


class Walker(msgspec.Struct, frozen=True, kw_only=True):
    """A member as placed so far, and the points of the first kind earned on each day (None: nothing yet).

    `further` are (kind, day, points) of the other kinds.
    """

    member_id: int
    profile_id: UUID
    tier: str | None
    further_tiers: dict[str, str] | None
    qualifying_points: int
    tiers_due_on: date | None
    ladders_key: int | None
    days: list[date] | None
    points: list[int] | None
    further: list[tuple[str, str, int]] | None = None


class Placing(msgspec.Struct, frozen=True, kw_only=True):
    """Where a member stands; `due_on` is the next day on which that may change though nothing happens."""

    member_id: int
    tier: str | None
    further_tiers: dict[str, str] | None
    qualifying_points: int
    due_on: date | None


@lru_cache(maxsize=256)
def name_ladders(spec: ProgrammeSpec) -> int:
    """Return a number that other ladders, or days that begin elsewhere, do not have."""
    told = msgspec.json.encode([spec.ladder_specs, spec.timezone], order="sorted")
    return int.from_bytes(hashlib.sha256(told).digest()[:_KEY_BYTES], signed=True)


def start(spec: ProgrammeSpec) -> Levels:
    """Return the levels of somebody without points."""
    return _name_levels(spec.ladder_specs, [ladder.levels[0].name for ladder in spec.ladder_specs])


def _name_levels(ladders: Sequence[LadderSpec], levels: Sequence[str]) -> Levels:
    further = {ladder.name: level for ladder, level in zip(ladders[1:], levels[1:], strict=True)}
    return Levels(tier=levels[0] if levels else None, further_tiers=further or None)


class Qualified(msgspec.Struct, frozen=True, kw_only=True):
    """What counts for a member's tiers, by kind of points: that of the first kind, and of each of the others."""

    first: Sequence[Qualifying]
    further: Mapping[str, Sequence[Qualifying]] = {}

    def of_kind(self, kind: str | None) -> Sequence[Qualifying]:
        """Return what counts on a ladder that follows a kind of points."""
        return self.first if kind is None else self.further.get(kind, self.first)


def gather(first: Sequence[Qualifying], further: Iterable[tuple[str, date, int]], kinds: Iterable[str]) -> Qualified:
    """Return what counts, given (kind, day, points) of the kinds after the first, which are `kinds`."""
    found: dict[str, list[Qualifying]] = {each: [] for each in kinds}
    for kind, day, points in further:
        found.setdefault(kind, []).append(Qualifying(earned_on=day, points=points))
    return Qualified(first=first, further=found)


def place(
    ladders: Sequence[LadderSpec], walker: Walker, *, on: date, further: Iterable[str] = ()
) -> tuple[Placing, list[TierMove]]:
    """Return where a member stands on a day by all they have earned, and the moves from where they stood.

    `further` are the kinds of points after the first.
    """
    told = [
        Qualifying(earned_on=day, points=points)
        for day, points in zip(walker.days or (), walker.points or (), strict=True)
    ]
    others = [(kind, date.fromisoformat(day), points) for kind, day, points in walker.further or ()]
    qualified = gather(told, others, further)
    walks = [walk(ladder, qualified.of_kind(ladder.points), begins_on=on, on=on) for ladder in ladders]
    levels = _name_levels(ladders, [each.level_name for each in walks])
    ahead = [each.earned_on for each in told] + [day for _, day, _ in others]
    placing = Placing(
        member_id=walker.member_id,
        tier=levels.tier,
        further_tiers=levels.further_tiers,
        qualifying_points=walks[0].points if walks else 0,
        due_on=min(
            [*(day for day in ahead if day > on), *(each.next_on for each in walks if each.next_on is not None)],
            default=None,
        ),
    )
    counted = {ladder.name: each.points for ladder, each in zip(ladders, walks, strict=True)}
    return placing, _list_moves(ladders, walker, levels, counted)


def _list_moves(
    ladders: Sequence[LadderSpec], walker: Walker, levels: Levels, counted: Mapping[str, int]
) -> list[TierMove]:
    first = ladders[0].name if ladders else None
    before, after = walker.further_tiers or {}, levels.further_tiers or {}
    found = [(first, walker.tier, levels.tier)]
    found += [(name, before.get(name), after.get(name)) for name in dict.fromkeys([*after, *before])]
    return [
        TierMove(
            profile_id=walker.profile_id,
            ladder=name,
            old_tier=old_tier,
            new_tier=new_tier,
            qualifying_points=counted.get(name or "", 0),
        )
        for name, old_tier, new_tier in found
        if old_tier != new_tier
    ]


def is_placed(walker: Walker, placing: Placing, ladders_key: int) -> bool:
    """True when there is nothing to note."""
    return walker.ladders_key == ladders_key and placing == Placing(
        member_id=walker.member_id,
        tier=walker.tier,
        further_tiers=walker.further_tiers,
        qualifying_points=walker.qualifying_points,
        due_on=walker.tiers_due_on,
    )


def find_levels(ladders: Sequence[LadderSpec], qualified: Qualified, *, on: date) -> dict[str, str]:
    """Return the level of a day on each ladder by what was earned; what is earned after it is not known yet."""
    return {each.name: walk(each, qualified.of_kind(each.points), begins_on=on, on=on).level_name for each in ladders}


def tell_levels(spec: ProgrammeSpec, member: LockedMember) -> dict[str, str | None]:
    """Return the levels a member has, by ladder; None on one nobody has placed them on yet."""
    levels: dict[str, str | None] = dict.fromkeys((ladder.name for ladder in spec.ladder_specs), None)
    first = {spec.ladder_specs[0].name: member.tier} if spec.ladder_specs else {}
    return levels | (member.further_tiers or {}) | first
