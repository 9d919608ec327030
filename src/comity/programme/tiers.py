"""Tiers follow the points that count: by the walk of the engine, or by a statement that comes to the same.

The calendar moves them, too. The hourly work places whose day has come; what is answered before it has got there is
answered at the levels of today: `lock_members` places them, `look` and `show_tiers` write nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, time
from typing import TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec.structs import asdict, replace

from comity.kernel.database import Tx
from comity.kernel.events import publish
from comity.programme import ladders, rules, store, store_tiers
from comity.programme.engine.tier_windows import is_memoryless
from comity.programme.kinds import list_kinds
from comity.programme.types import TIER_CHANGED, LockedMember, Member, Programme, TierChanged, TierMove

PlaceT = TypeVar("PlaceT")

Placings = Mapping[int, ladders.Placing]
"""Where members stand, by member."""


def lock_members(
    tx: Tx, *, wishes: Sequence[tuple[UUID, str]], programmes: Mapping[str, Programme] | None, now: datetime
) -> dict[int, LockedMember]:
    """Lock the living members behind (profile, programme) and return them by place, at the levels of today.

    Publishes `programme.tier_changed` of those whom the calendar has moved.
    """
    found = store.lock_members(tx, wishes=wishes, now=now)
    placings: dict[int, ladders.Placing] = {}
    for programme, member_ids in _list_due(found.values(), programmes):
        placings |= place_anew(tx, member_ids=member_ids, programme=programme, now=now)
    return _stand(found, placings)


def look(
    tx: Tx, members: Mapping[PlaceT, LockedMember], *, programmes: Mapping[str, Programme] | None, now: datetime
) -> dict[PlaceT, LockedMember]:
    """Return members, who need not be locked, at the levels of today; nothing is written."""
    placings: dict[int, ladders.Placing] = {}
    for programme, member_ids in _list_due(members.values(), programmes):
        placings |= _walk(tx, member_ids, programme, today=rules.to_local_date(now, programme.spec.timezone))[0]
    return _stand(members, placings)


def show_tiers(
    tx: Tx, members: Sequence[Member], *, programmes: Mapping[str, Programme], now: datetime
) -> list[Member]:
    """Return memberships at the levels of today; nothing is written."""
    due = store_tiers.list_due(tx, account_ids=sorted({each.account_id for each in members}), now=now)
    if not due:
        return list(members)
    placings: dict[int, ladders.Placing] = {}
    for name in sorted({each[2] for each in due} & programmes.keys()):
        programme, member_ids = programmes[name], [each[1] for each in due if each[2] == name]
        placings |= _walk(tx, member_ids, programme, today=rules.to_local_date(now, programme.spec.timezone))[0]
    placed = {account_id: (placings[member_id], day) for account_id, member_id, _, day in due if member_id in placings}
    return [
        _show(each, *placed[each.account_id], zone=ZoneInfo(programmes[each.programme].spec.timezone))
        if each.account_id in placed
        else each
        for each in members
    ]


def recompute(tx: Tx, *, member_ids: Sequence[int], programme: Programme, now: datetime) -> int:
    """Let the tiers of locked members follow what they have earned, and return how many changes that made.

    Publishes `programme.tier_changed`, once a ladder.
    """
    specs = programme.spec.ladder_specs
    if not member_ids or not specs:
        return 0
    if len(specs) == 1 and is_memoryless(specs[0]) and specs[0].points not in list_kinds(programme).further:
        today = rules.to_local_date(now, programme.spec.timezone)
        moves = store_tiers.recompute_tiers(tx, member_ids=member_ids, ladder=specs[0], today=today, now=now)
        return _publish(tx, moves, programme=programme.name, now=now)
    return _place(tx, member_ids, programme, now=now)[1]


def place_anew(tx: Tx, *, member_ids: Sequence[int], programme: Programme, now: datetime) -> Placings:
    """Do the same for members whose day has come, or whom other ladders placed, if there are any by now."""
    return _place(tx, member_ids, programme, now=now)[0]


def _place(tx: Tx, member_ids: Sequence[int], programme: Programme, *, now: datetime) -> tuple[Placings, int]:
    """Place locked members; return where they stand, and how many changes that made."""
    key = ladders.name_ladders(programme.spec)
    placings, moves, moved = _walk(tx, member_ids, programme, today=rules.to_local_date(now, programme.spec.timezone))
    store_tiers.put_tiers(tx, placings=[placings[each] for each in moved], ladders_key=key, now=now)
    return placings, _publish(tx, moves, programme=programme.name, now=now)


def _walk(
    tx: Tx, member_ids: Sequence[int], programme: Programme, *, today: date
) -> tuple[dict[int, ladders.Placing], list[TierMove], list[int]]:
    """Return where members stand, their moves, and of whom there is something to note."""
    specs, key = programme.spec.ladder_specs, ladders.name_ladders(programme.spec)
    placings: dict[int, ladders.Placing] = {}
    moves: list[TierMove] = []
    moved: list[int] = []
    for walker in store_tiers.list_walkers(tx, member_ids=member_ids):
        placing, made = ladders.place(specs, walker, on=today, further=list_kinds(programme).further)
        placings[walker.member_id] = placing
        moves += made
        if not ladders.is_placed(walker, placing, key):
            moved.append(walker.member_id)
    return placings, moves, moved


def _list_due(
    members: Collection[LockedMember], programmes: Mapping[str, Programme] | None
) -> list[tuple[Programme, list[int]]]:
    """Return whose day has come, programme by programme; who is in one that is not defined stays as they are."""
    due: dict[str, set[int]] = {}
    for each in members:
        if each.is_tier_due:
            due.setdefault(each.programme, set()).add(each.member_id)
    known = programmes or {}
    return [(known[name], sorted(member_ids)) for name, member_ids in sorted(due.items()) if name in known]


def _stand(members: Mapping[PlaceT, LockedMember], placings: Placings) -> dict[PlaceT, LockedMember]:
    return {
        place: replace(
            each,
            tier=placings[each.member_id].tier,
            further_tiers=placings[each.member_id].further_tiers,
            is_tier_due=False,
        )
        if each.member_id in placings
        else each
        for place, each in members.items()
    }


def _show(member: Member, placing: ladders.Placing, day: date, *, zone: ZoneInfo) -> Member:
    since = member.tier_since if placing.tier == member.tier else datetime.combine(day, time(), zone)
    return replace(member, tier=placing.tier, tier_since=since, qualifying_points=placing.qualifying_points)


def _publish(tx: Tx, moves: Sequence[TierMove], *, programme: str, now: datetime) -> int:
    publish(
        tx,
        kind=TIER_CHANGED,
        payloads=[
            asdict(
                TierChanged(
                    profile_id=each.profile_id,
                    programme=programme,
                    ladder=each.ladder,
                    old_tier=each.old_tier,
                    new_tier=each.new_tier,
                    qualifying_points=each.qualifying_points,
                )
            )
            for each in moves
        ],
        now=now,
    )
    return len(moves)
