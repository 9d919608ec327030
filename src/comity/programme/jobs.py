"""Work of programmes that is due at times."""

from datetime import datetime
from uuid import UUID

from comity.kernel.database import Tx
from comity.programme import store
from comity.programme.enrolment import Chooser, enrol
from comity.programme.tiers import recompute
from comity.programme.types import Programme

BATCH_COUNT = 5_000
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
    """Recompute the next members' tiers, daily, since points leave the window; return where to go on, None at the end.

    Repeatable; each batch may be a transaction of its own. Publishes `programme.tier_changed`.
    """
    member_ids = store.list_member_ids(
        tx, programme=programme.name, after_member_id=after_member_id, limit_max=batch_count
    )
    recompute(tx, member_ids=member_ids, programme=programme, now=now)
    return member_ids[-1] if len(member_ids) == batch_count else None
