"""What happens when something happened: the handlers that `wiring` lists."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from comity.identity import api as identity
from comity.kernel import events as log
from comity.kernel import leases, readers
from comity.kernel.database import Tx
from comity.kernel.events import Event
from comity.kernel.leases import Lease
from comity.outbox import api as outbox
from comity.outbox.types import Lane
from comity.profile import api as profile
from comity.programme import api as programme
from comity.programme.api import Chooser, Sharing
from comity.programme.types import Programme
from comity.sync.runtime import Runtime

EVENTS_MAX = 1_000
SKIP_XIDS = 1_000


class Reaction(msgspec.Struct, frozen=True, kw_only=True):
    """A reader of the event log: its name, the kinds it listens to, and what it does with a batch."""

    reader: str
    kinds: tuple[str, ...]
    handle: Callable[[Tx, Sequence[Event], Runtime, datetime], None]


def run_reaction(tx: Tx, *, reaction: Reaction, runtime: Runtime, lease: Lease, now: datetime) -> int:
    """Read a batch of events and react, in one transaction with the reader's place. Returns how many were read.

    An idle turn writes nothing, unless the reader can leave a long stretch without events behind.
    """
    position = readers.peek_position(tx, name=reaction.reader)
    batch = log.read_events(tx, position=position, kinds=reaction.kinds, count_max=EVENTS_MAX)
    if not batch.events and batch.position.xid < position.xid + SKIP_XIDS:
        return 0
    leases.check(tx, lease=lease)
    if readers.get_position(tx, name=reaction.reader) != position:
        raise leases.LeaseLost(details={"reader": reaction.reader})
    if batch.events:
        reaction.handle(tx, batch.events, runtime, now)
    readers.advance(tx, name=reaction.reader, position=batch.position)
    return len(batch.events)


def is_behind(tx: Tx, *, reaction: Reaction) -> bool:
    """True when events wait for the reader, also those that it may not read before an older transaction ends."""
    return log.has_events(tx, position=readers.peek_position(tx, name=reaction.reader), kinds=reaction.kinds)


def keep_memberships(tx: Tx, events: Sequence[Event], runtime: Runtime, now: datetime) -> None:
    """People become members by themselves, purchases earn, members follow merged profiles."""
    programme.handle_events(
        tx,
        events=events,
        programmes=runtime.programmes,
        now=now,
        choose=choose_by(runtime, now),
        shares=share_by(runtime),
    )


def collect_in_pools(tx: Tx, events: Sequence[Event], runtime: Runtime, now: datetime) -> None:
    """Pools get their part of what their members have earned."""
    programme.collect_in_pools(tx, events=events, programmes=runtime.programmes, now=now)


def enrol_strangers(
    tx: Tx, *, runtime: Runtime, programme_name: str, after_profile_id: UUID, now: datetime
) -> UUID | None:
    """Let the next people who were there before a programme join it; returns where to go on, None at the end."""
    each = _find_programme(runtime, programme_name)
    if each is None:
        return None
    return programme.enrol_strangers(
        tx, programme=each, now=now, choose=choose_by(runtime, now), after_profile_id=after_profile_id
    )


def recompute_tiers(
    tx: Tx, *, runtime: Runtime, programme_name: str, after_member_id: int, now: datetime
) -> int | None:
    """Recompute the next members' tiers, since points leave the window; returns where to go on, None at the end."""
    each = _find_programme(runtime, programme_name)
    if each is None:
        return None
    return programme.recompute_tiers(tx, programme=each, now=now, after_member_id=after_member_id)


def expire_points(tx: Tx, *, runtime: Runtime, programme_name: str, now: datetime) -> int:
    """Expire what is due of the next members' points; returns how many lots that were, 0 at the end."""
    each = _find_programme(runtime, programme_name)
    return programme.expire_points(tx, programme=each, now=now) if each else 0


def expire_vouchers(tx: Tx, *, runtime: Runtime, programme_name: str, now: datetime) -> int:
    """Let the next vouchers expire whose last day is over; returns how many, 0 at the end."""
    each = _find_programme(runtime, programme_name)
    return programme.expire_vouchers(tx, programme=each, now=now) if each else 0


def lapse_points(tx: Tx, *, runtime: Runtime, programme_name: str, after_purchase_id: int, now: datetime) -> int | None:
    """Decide on the next points whose event did not come; returns where to go on, None at the end."""
    each = _find_programme(runtime, programme_name)
    if each is None:
        return None
    return programme.lapse_points(tx, programme=each, now=now, after_purchase_id=after_purchase_id)


def warn_of_expiry(tx: Tx, *, runtime: Runtime, programme_name: str, now: datetime) -> int:
    """Warn of the next points that expire soon; returns of how many groups, 0 at the end of a day."""
    each = _find_programme(runtime, programme_name)
    return programme.warn_of_expiry(tx, programme=each, now=now) if each else 0


def time_out_holds(tx: Tx, *, runtime: Runtime, programme_name: str, now: datetime) -> int:
    """End the next holds whose deadline has passed; returns how many, 0 at the end."""
    each = _find_programme(runtime, programme_name)
    return programme.time_out_holds(tx, programme=each, now=now) if each else 0


def release_points(tx: Tx, *, runtime: Runtime, programme_name: str, now: datetime) -> int:
    """Let pending points become available whose day has come; returns of how many members."""
    each = _find_programme(runtime, programme_name)
    return programme.release_points(tx, programme=each, now=now) if each else 0


def mature_referrals(tx: Tx, *, runtime: Runtime, programme_name: str, now: datetime) -> int:
    """Decide the next referrals whose day has come; returns how many, 0 at the end."""
    each = _find_programme(runtime, programme_name)
    return programme.mature_referrals(tx, programme=each, shares=share_by(runtime), now=now) if each else 0


def share_by(runtime: Runtime) -> Sharing:
    """Return what tells the pairs of people who have an e-mail address or a telephone number in common."""
    return lambda tx, pairs: identity.find_sharing(tx, pairs=pairs, match=runtime.match)


def _find_programme(runtime: Runtime, name: str) -> Programme | None:
    return next((each for each in runtime.programmes if each.name == name), None)


def choose_by(runtime: Runtime, now: datetime) -> Chooser:
    """Return what judges the conditions of enrolment by golden values."""
    return lambda tx, each, profile_ids: profile.filter_profiles(
        tx, profile_ids=profile_ids, condition=each.spec.enrol.when or "true", model=runtime.model, now=now
    )


def mark_loyalty_stale(tx: Tx, events: Sequence[Event], runtime: Runtime, _now: datetime) -> None:
    """Whoever's points or tier changed is stale wherever Comity writes; a thousand events make one mark."""
    profile_ids = list({UUID(event.payload["profile_id"]) for event in events})
    if runtime.written_systems:
        outbox.note_changes(tx, profile_ids=profile_ids, lane=Lane.POINTS)
