"""Tiers follow the points earned in the window."""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import asdict

from comity.kernel.database import Tx
from comity.kernel.events import publish
from comity.programme import rules, store
from comity.programme.types import TIER_CHANGED, Programme, TierChanged


def recompute(tx: Tx, *, member_ids: Sequence[int], programme: Programme, now: datetime) -> int:
    """Recompute tiers of members in one statement, publish `programme.tier_changed`, and return how many changed."""
    if not member_ids:
        return 0
    moves = store.recompute_tiers(
        tx,
        member_ids=member_ids,
        window=rules.get_window(programme.spec.tiers, rules.to_local_date(now, programme.spec.timezone)),
        ladder=programme.spec.tiers,
        now=now,
    )
    publish(
        tx,
        kind=TIER_CHANGED,
        payloads=[
            asdict(
                TierChanged(
                    profile_id=each.profile_id,
                    programme=programme.name,
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
