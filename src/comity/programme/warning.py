"""Members hear of points that are about to expire: once for each day of expiry and each of the programme's warnings."""

from datetime import datetime

from comity.kernel.database import Tx
from comity.kernel.events import publish
from comity.programme import rules, store
from comity.programme.moving import tell_of
from comity.programme.types import POINTS_EXPIRING, PointsExpiring, Programme

WARNINGS_MAX = 5_000


def warn_of_expiry(tx: Tx, *, programme: Programme, now: datetime, limit_max: int = WARNINGS_MAX) -> int:
    """Warn of the next points that expire soon and return of how many groups; 0 at the end of a day. Repeatable.

    What a member has of a kind that expires on one day is one group. It is warned of once for each of the programme's
    days; what comes late gets the most urgent of the warnings it should have had. Each batch may be a transaction of
    its own. Publishes `programme.points_expiring`.
    """
    today = rules.to_local_date(now, programme.spec.timezone)
    wanted = {each.name: sorted(each.warn_days) for each in programme.spec.points_specs if each.warn_days}
    if not wanted or store.has_warned(tx, programme=programme.name, today=today):
        return 0
    first = programme.spec.points_specs[0].name
    count = 0
    for kind, warn_days in wanted.items():
        due = store.note_warnings(
            tx,
            programme=programme.name,
            kind=None if kind == first else kind,
            today=today,
            warn_days=warn_days,
            limit_max=limit_max - count,
            now=now,
        )
        count += len(due)
        publish(
            tx,
            kind=POINTS_EXPIRING,
            payloads=[
                tell_of(
                    PointsExpiring(
                        profile_id=profile_id,
                        programme=programme.name,
                        points=points,
                        expires_on=expires_on,
                        days_left=(expires_on - today).days,
                        warn_days=days,
                        kind=kind,
                    ),
                    pool_id=pool_id,
                )
                for profile_id, expires_on, days, points, pool_id in due
            ],
            now=now,
        )
        if count >= limit_max:
            return count
    store.end_warnings(tx, programme=programme.name, today=today)
    return count
