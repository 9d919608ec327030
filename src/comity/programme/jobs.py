"""Work of programmes that is due at times."""

from collections import Counter
from datetime import datetime
from uuid import UUID

from comity.kernel.database import Tx
from comity.kernel.events import publish
from comity.ledger import api as ledger
from comity.programme import ladders, rules, store, store_stands, store_tiers
from comity.programme.enrolment import Chooser, enrol
from comity.programme.kinds import list_units
from comity.programme.moving import tell_of
from comity.programme.settling import follow_purchases
from comity.programme.sliding import slide_lots
from comity.programme.tiers import place_anew
from comity.programme.types import (
    HOLD_TIMED_OUT,
    POINTS_AVAILABLE,
    POINTS_EXPIRED,
    HoldTimedOut,
    PointsAvailable,
    PointsExpired,
    Programme,
)

BATCH_COUNT = 5_000
LAPSES_MAX = 1_000
FIRST_PROFILE = UUID(int=0)


def enrol_strangers(
    tx: Tx,
    *,
    programme: Programme,
    now: datetime,
    choose: Chooser,
    after_profile_id: UUID = FIRST_PROFILE,
    batch_count: int = BATCH_COUNT,
) -> UUID | None:
    """Enrol the next people who were there before the programme; return where to go on, None at the end. Repeatable.

    Only where enrolment is automatic; `choose` judges its condition.
    """
    if not programme.spec.enrol.automatic:
        return None
    strangers = store.list_strangers(
        tx, programme=programme.name, after_profile_id=after_profile_id, limit_max=batch_count
    )
    enrol(tx, profile_ids=choose(tx, programme, strangers), programme=programme, now=now)
    return strangers[-1] if len(strangers) == batch_count else None


def recompute_tiers(
    tx: Tx, *, programme: Programme, now: datetime, after_member_id: int = 0, batch_count: int = BATCH_COUNT
) -> int | None:
    """Recompute the next members' tiers whose day has come; return where to go on, None at the end.

    Points leave the window, levels are looked at or drop with their day; all members are due when there are new
    ladders. Repeatable; each batch may be a transaction of its own. Publishes `programme.tier_changed`.
    """
    member_ids = store_tiers.lock_due_members(
        tx,
        programme=programme.name,
        today=rules.to_local_date(now, programme.spec.timezone),
        ladders_key=ladders.name_ladders(programme.spec),
        after_member_id=after_member_id,
        limit_max=batch_count,
    )
    place_anew(tx, member_ids=member_ids, programme=programme, now=now)
    return member_ids[-1] if len(member_ids) == batch_count else None


def release_points(tx: Tx, *, programme: Programme, now: datetime) -> int:
    """Let pending points become available whose day has come; return of how many members and pools. Repeatable.

    Publishes `programme.points_available`.
    """
    today = rules.to_local_date(now, programme.spec.timezone)
    released = store.release_points(tx, programme=programme.name, today=today)
    publish(
        tx,
        kind=POINTS_AVAILABLE,
        payloads=[
            tell_of(
                PointsAvailable(profile_id=profile_id, programme=programme.name, points=points, kind=kind),
                pool_id=pool_id,
            )
            for profile_id, kind, points, pool_id in released
        ],
        now=now,
    )
    return len(released)


def lapse_points(
    tx: Tx, *, programme: Programme, now: datetime, after_purchase_id: int = 0, batch_count: int = LAPSES_MAX
) -> int | None:
    """Decide on the next pending points whose event should have come by now; return where to go on, None at the end.

    They are cancelled or released, as the programme says. Repeatable; each batch may be a transaction of its own.
    Publishes as `follow_purchases`.
    """
    today = rules.to_local_date(now, programme.spec.timezone)
    purchase_ids = store_stands.list_overdue(
        tx, programme=programme.name, today=today, after_purchase_id=after_purchase_id, limit_max=batch_count
    )
    follow_purchases(tx, purchase_ids=purchase_ids, programmes=[programme], now=now)
    return purchase_ids[-1] if len(purchase_ids) == batch_count else None


def expire_points(tx: Tx, *, programme: Programme, now: datetime) -> int:
    """Expire what is due of the next members and return how many lots that were; 0 at the end. Repeatable.

    Where activity puts expiry off, that comes first, once a day, and those lots are counted, too.
    Each batch may be a transaction of its own. Publishes `programme.points_expired`, once a member or pool and kind of
    points.
    """
    slid = slide_lots(tx, programme=programme, now=now)
    if slid:
        return slid
    today = rules.to_local_date(now, programme.spec.timezone)
    expired = [
        each for unit in list_units(programme) for each in ledger.expire_lots(tx, unit=unit, today=today, now=now)
    ]
    holders = store.find_holders(tx, account_ids=sorted({each.account_id for each in expired}))
    points: Counter[tuple[UUID, int | None, str]] = Counter()
    for each in expired:
        if each.account_id in holders:
            points[holders[each.account_id]] += each.points
    publish(
        tx,
        kind=POINTS_EXPIRED,
        payloads=[
            tell_of(
                PointsExpired(profile_id=profile_id, programme=programme.name, points=count, kind=kind), pool_id=pool_id
            )
            for (profile_id, pool_id, kind), count in points.items()
        ],
        now=now,
    )
    return len(expired)


def time_out_holds(tx: Tx, *, programme: Programme, now: datetime) -> int:
    """End the next holds whose deadline has passed and return how many; 0 at the end. Repeatable.

    Each batch may be a transaction of its own. Publishes `programme.hold_timed_out`.
    """
    today = rules.to_local_date(now, programme.spec.timezone)
    ended = [
        each for unit in list_units(programme) for each in ledger.time_out_holds(tx, unit=unit, today=today, now=now)
    ]
    holders = store.find_holders(tx, account_ids=sorted({each.account_id for each in ended}))
    publish(
        tx,
        kind=HOLD_TIMED_OUT,
        payloads=[
            tell_of(
                HoldTimedOut(
                    profile_id=holders[each.account_id][0],
                    programme=programme.name,
                    hold_id=each.hold_id,
                    points=each.points,
                    kind=holders[each.account_id][2],
                ),
                pool_id=holders[each.account_id][1],
            )
            for each in ended
            if each.account_id in holders
        ],
        now=now,
    )
    return len(ended)
