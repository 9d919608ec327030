"""Purchases one by one through the doors, each in the moment it happened: what simulations must come to."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from comity.activity.types import PurchaseRecorded
from comity.kernel.database import Tx
from comity.programme import api as programme
from comity.programme.types import Earned, Member, Programme, Redemption, RedemptionStatus


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """A purchase (`is_returned`: something of it came back at once), or a wish to redeem points, and when."""

    happened_at: datetime
    purchase: PurchaseRecorded | None = None
    redemption: Redemption | None = None
    is_returned: bool = False


class Outcome(msgspec.Struct, kw_only=True):
    """What the hub has at the end."""

    earned: dict[int, Earned]
    redeemed: int
    members: dict[UUID, Member]


def replay(tx: Tx, *, version: Programme, happenings: Sequence[Happening], on: date) -> Outcome:
    """Let everything happen in the order of time, tiers and expiry up to date each time, to the end of a day."""
    earned: dict[int, Earned] = {}
    redeemed = 0
    profiles: set[UUID] = set()
    for each in sorted(happenings, key=_order):
        now = each.happened_at
        _begin_day(tx, version, now)
        if each.purchase is not None:
            profiles.add(each.purchase.profile_id)
            found = programme.earn_for_purchases(tx, purchases=[each.purchase], programmes=[version], now=now)
            if each.is_returned:
                ids = [each.purchase.purchase_id]
                found += programme.follow_purchases(tx, purchase_ids=ids, programmes=[version], now=now)
            earned |= {one.purchase_id: one for one in found}
        if each.redemption is not None:
            [verdict] = programme.redeem_many(tx, redemptions=[each.redemption], now=now)
            redeemed += each.redemption.points * (verdict.status is RedemptionStatus.REDEEMED)
    zone = ZoneInfo(version.spec.timezone)
    _begin_day(tx, version, datetime(on.year, on.month, on.day, 23, 59, tzinfo=zone))
    members = programme.find_members(tx, profile_ids=sorted(profiles), programme=version.name)
    return Outcome(
        earned=earned,
        redeemed=redeemed,
        members={profile_id: found[0] for profile_id, found in members.items()},
    )


def _order(each: Happening) -> tuple[datetime, int]:
    return each.happened_at, each.purchase.purchase_id if each.purchase else 1 << 62


def _begin_day(tx: Tx, version: Programme, now: datetime) -> None:
    """Do what the hub does daily."""
    after: int | None = 0
    while after is not None:
        after = programme.recompute_tiers(tx, programme=version, now=now, after_member_id=after)
    programme.release_points(tx, programme=version, now=now)
    while programme.expire_points(tx, programme=version, now=now):
        pass
