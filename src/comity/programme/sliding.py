"""Activity of members puts off when their points expire: lots get a new day, kept with its reason in the ledger."""

from datetime import datetime

from comity.definitions.types import SlidingExpiry
from comity.kernel.database import Tx
from comity.kernel.errors import Broken
from comity.ledger import api as ledger
from comity.ledger.types import PostingStatus, TermChange, Terms
from comity.programme import rules, store, store_pools, store_stands
from comity.programme.engine.lifetimes import prolong
from comity.programme.stands import HeldLot
from comity.programme.types import Programme

LOTS_MAX = 5_000


def slide_lots(tx: Tx, *, programme: Programme, now: datetime, limit_max: int = LOTS_MAX) -> int:
    """Put off the expiry of the next lots whose members were active, and return how many; 0 at the end of a day.

    Only where points expire without activity. Repeatable; each batch may be a transaction of its own. It has to come
    before anything expires on that day: activity brings nothing back.
    """
    today = rules.to_local_date(now, programme.spec.timezone)
    specs = programme.spec.points_specs
    sliding = {each.name: each.expiry for each in specs if isinstance(each.expiry, SlidingExpiry)}
    if not sliding or store_stands.has_slid(tx, programme=programme.name, today=today):
        return 0
    for name, expiry in sliding.items():
        count = _slide(tx, programme, None if name == specs[0].name else name, expiry, now=now, limit_max=limit_max)
        if count:
            return count
    store_stands.end_sliding(tx, programme=programme.name, today=today)
    return 0


def _slide(
    tx: Tx, programme: Programme, kind: str | None, expiry: SlidingExpiry, *, now: datetime, limit_max: int
) -> int:
    """Put off the expiry of the next lots of a kind (None: the first) and return how many."""
    lots = _list(tx, programme, kind, expiry, now=now, limit_max=limit_max)
    store.lock_members(tx, wishes=[(each.profile_id, programme.name) for each in lots], now=now)
    store_pools.lock_pools(tx, lot_ids=[each.lot_id for each in lots])
    # Their terms may have changed while we waited.
    wanted = {each.lot_id for each in lots}
    lots = [each for each in _list(tx, programme, kind, expiry, now=now, limit_max=limit_max) if each.lot_id in wanted]
    changes = [_plan(each, expiry) for each in lots]
    for change, status in zip(changes, ledger.change_terms(tx, changes=changes, now=now), strict=True):
        if status not in {PostingStatus.POSTED, PostingStatus.DUPLICATE}:
            raise Broken("The expiry of a lot could not be put off.", details={"key": change.idempotency_key})
    return len(changes)


def _list(
    tx: Tx, programme: Programme, kind: str | None, expiry: SlidingExpiry, *, now: datetime, limit_max: int
) -> list[HeldLot]:
    timezone = programme.spec.timezone
    lots = store_stands.list_sliding(
        tx,
        programme=programme.name,
        kind=kind,
        expiry=expiry,
        today=rules.to_local_date(now, timezone),
        timezone=timezone,
        limit_max=limit_max,
    )
    return [each for each in lots if prolong(expiry, each.earned_on, each.expires_on, each.day) > each.expires_on]


def _plan(lot: HeldLot, expiry: SlidingExpiry) -> TermChange:
    expires_on = prolong(expiry, lot.earned_on, lot.expires_on, lot.day)
    return TermChange(
        lot_id=lot.lot_id,
        idempotency_key=f"slide:{lot.lot_id}:{expires_on}",
        terms=Terms(expires_on=expires_on, available_from=lot.available_from, is_pending=lot.is_pending),
        reason=f"The member was active on {lot.day}.",
    )
