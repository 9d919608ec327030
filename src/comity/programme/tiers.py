"""Tiers follow the points that count: by the walk of the engine, or by a statement that comes to the same."""

from collections.abc import Sequence
from datetime import date, datetime

from msgspec.structs import asdict

from comity.kernel.database import Tx
from comity.kernel.events import publish
from comity.programme import ladders, rules, store_tiers
from comity.programme.engine.tier_windows import is_memoryless
from comity.programme.kinds import list_kinds
from comity.programme.types import TIER_CHANGED, Programme, TierChanged, TierMove


def recompute(tx: Tx, *, member_ids: Sequence[int], programme: Programme, now: datetime) -> int:
    """Let the tiers of locked members follow what they have earned, and return how many changes that made.

    Publishes `programme.tier_changed`, once a ladder.
    """
    specs = programme.spec.ladder_specs
    if not member_ids or not specs:
        return 0
    today = rules.to_local_date(now, programme.spec.timezone)
    if len(specs) == 1 and is_memoryless(specs[0]) and specs[0].points not in list_kinds(programme).further:
        moves = store_tiers.recompute_tiers(tx, member_ids=member_ids, ladder=specs[0], today=today, now=now)
    else:
        moves = _walk(tx, member_ids, programme, today=today, now=now)
    return _publish(tx, moves, programme=programme.name, now=now)


def place_anew(tx: Tx, *, member_ids: Sequence[int], programme: Programme, now: datetime) -> int:
    """Do the same for members whose day has come, or whom other ladders placed, if there are any by now."""
    today = rules.to_local_date(now, programme.spec.timezone)
    moves = _walk(tx, member_ids, programme, today=today, now=now)
    return _publish(tx, moves, programme=programme.name, now=now)


def _walk(tx: Tx, member_ids: Sequence[int], programme: Programme, *, today: date, now: datetime) -> list[TierMove]:
    specs, key = programme.spec.ladder_specs, ladders.name_ladders(programme.spec)
    placings: list[ladders.Placing] = []
    moves: list[TierMove] = []
    for walker in store_tiers.list_walkers(tx, member_ids=member_ids):
        placing, moved = ladders.place(specs, walker, on=today, further=list_kinds(programme).further)
        moves += moved
        if not ladders.is_placed(walker, placing, key):
            placings.append(placing)
    store_tiers.put_tiers(tx, placings=placings, ladders_key=key, now=now)
    return moves


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
