"""What people and programs are shown: a person whole, and how the hub is doing. Read through doors only."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

from comity import wiring
from comity.activity import api as activity
from comity.activity.types import Purchase
from comity.identity import api as identity
from comity.inbox import api as inbox
from comity.kernel import events, readers
from comity.kernel.database import Tx
from comity.kernel.errors import NotFound
from comity.ledger import api as ledger
from comity.outbox import api as outbox
from comity.profile import api as profile
from comity.programme import api as programme
from comity.programme.types import Member
from comity.sync import api as sync
from comity.sync.types import NotReady
from comity.systems import api as systems

PURCHASES_SHOWN = 20


class RecordView(msgspec.Struct, frozen=True, kw_only=True):
    """A record of the person in a system, and by which rule it was linked."""

    system: str
    stream: str
    external_id: str
    is_deleted: bool
    rule: str
    linked_at: datetime


class RfvView(msgspec.Struct, frozen=True, kw_only=True):
    """Recency, frequency and value: when somebody bought last, how often, and for how much in minor units by currency.

    As of the end of the day `on` in `timezone`, by what is known now of all that happened through that day. Cancelled
    purchases are left out; returns are taken off the value; credit notes lower the value and are no purchases.
    """

    on: date
    timezone: str
    last_purchase_on: date | None
    purchase_count: Annotated[int, msgspec.Meta(description="Without cancelled ones and credit notes.")]
    value_minor: Annotated[dict[str, int], msgspec.Meta(description="By currency, less what came back.")]


class ProfileView(msgspec.Struct, frozen=True, kw_only=True):
    """One person: golden values, records in systems, memberships with balances, sums of purchases, the latest ones."""

    global_id: UUID
    attributes: dict[str, Any]
    records: list[RecordView]
    memberships: list[Member]
    rfv: RfvView
    purchases: list[Purchase]


class SystemView(msgspec.Struct, frozen=True, kw_only=True):
    """A connected system and how it is doing.

    `is_healthy` says that no call fails, `is_reached` that one has ever gone well.
    `stale_count` people are to be written there, as soon as may be; `held_count` more wait for the tick of a cadence.
    `first_reads` are its streams that are still read for the first time, so that nobody is created in them yet.
    `hook_refusal` is why the last of its webhooks that were refused was.
    """

    system: str
    connector: str
    title: str
    state: str
    is_healthy: bool
    is_reached: bool
    last_error: str | None
    read_ok_at: datetime | None
    write_ok_at: datetime | None
    read_count: int
    waiting_count: int
    parked_changes: int
    stale_count: int
    held_count: int
    retrying_count: int
    parked_deliveries: int
    hooks_refused_count: int
    hook_refused_at: datetime | None
    hook_refusal: str | None
    first_reads: list[str]


class ReaderView(msgspec.Struct, frozen=True, kw_only=True):
    """A reader of a log, and how much of it is still before it."""

    reader: str
    waiting_count: int


class StatusView(msgspec.Struct, frozen=True, kw_only=True):
    """The hub at a glance. `oldest_waiting_at` is the age of what waits to be unified; None when nothing does.

    `is_ledger_guarded` is false where the hub's own database role could change what was posted.
    """

    now: datetime
    revision: int
    is_ready: bool
    profile_count: int
    member_count: int
    points_outstanding: int
    trial_balance: int
    is_ledger_guarded: bool
    waiting_count: int
    oldest_waiting_at: datetime | None
    readers: list[ReaderView]
    systems: list[SystemView]


def view_profile(
    tx: Tx, *, profile_id: UUID, runtime: sync.Runtime, now: datetime, on: date | None = None, timezone: str = "UTC"
) -> ProfileView:
    """Return a person whole; what was bought as of a day (today without it). Raises NotFound, UnknownTimeZone."""
    rows = profile.get_profiles(tx, profile_ids=[profile_id])
    if not rows:
        raise NotFound("This person has no profile (yet).", code="profile_not_found")
    hidden = {"profile_id", "rules_version", "updated_at"}
    records = identity.list_records(tx, profile_ids=[profile_id])
    memberships = programme.find_members_today(tx, profile_ids=[profile_id], programmes=runtime.programmes, now=now)
    return ProfileView(
        global_id=profile_id,
        attributes={name: value for name, value in rows[0].items() if name not in hidden},
        records=[
            RecordView(
                system=record.system,
                stream=record.stream,
                external_id=record.external_id,
                is_deleted=record.is_deleted,
                rule=record.rule,
                linked_at=record.linked_at,
            )
            for record in records
        ],
        memberships=memberships.get(profile_id, []),
        rfv=_view_rfv(tx, profile_id=profile_id, on=on, now=now, timezone=timezone),
        purchases=activity.list_purchases(tx, profile_id=profile_id, limit_max=PURCHASES_SHOWN),
    )


def _view_rfv(tx: Tx, *, profile_id: UUID, on: date | None, now: datetime, timezone: str) -> RfvView:
    zone = activity.to_zone(timezone)
    day = on or now.astimezone(zone).date()
    found = activity.find_rfv(tx, profile_ids=[profile_id], on=day, zone=zone).get(profile_id)
    return RfvView(
        on=day,
        timezone=timezone,
        last_purchase_on=found.last_purchase_on if found else None,
        purchase_count=found.purchase_count if found else 0,
        value_minor=found.value_minor if found else {},
    )


def view_status(hub: wiring.Hub) -> StatusView:
    """Return the hub at a glance."""
    now = hub.clock.now()
    with hub.database.transaction() as tx:
        try:
            runtime: sync.Runtime | None = hub.runtimes.get(tx)
        except NotReady:
            runtime = None
        waiting = inbox.count_waiting(tx, position=readers.peek_position(tx, name=sync.READER))
        waiting_count = sum(each.waiting_count for each in waiting)
        totals = programme.sum_programmes(tx)
        return StatusView(
            now=now,
            revision=runtime.revision if runtime else 0,
            is_ready=runtime is not None,
            profile_count=profile.count_profiles(tx) if runtime else 0,
            member_count=totals.member_count,
            points_outstanding=totals.points_outstanding,
            trial_balance=totals.trial_balance,
            is_ledger_guarded=ledger.is_guarded(tx),
            waiting_count=waiting_count,
            oldest_waiting_at=min((each.oldest_at for each in waiting), default=None),
            readers=[ReaderView(reader=sync.READER, waiting_count=waiting_count), *_view_reactions(tx)],
            systems=_view_systems(
                tx, runtime=runtime, waiting={each.system: each.waiting_count for each in waiting}, now=now
            ),
        )


def _view_reactions(tx: Tx) -> list[ReaderView]:
    return [
        ReaderView(
            reader=reaction.reader,
            waiting_count=events.count_events(
                tx, position=readers.peek_position(tx, name=reaction.reader), kinds=reaction.kinds
            ),
        )
        for reaction in wiring.REACTIONS
    ]


def _view_systems(tx: Tx, *, runtime: sync.Runtime | None, waiting: dict[str, int], now: datetime) -> list[SystemView]:
    parked = inbox.count_parked(tx)
    written = runtime.written_systems if runtime else []
    stale = {each.system: each for each in outbox.count_stale(tx, systems=written, now=now)}
    read_counts: dict[str, int] = {}
    for cursor in systems.list_cursors(tx):
        read_counts[cursor.system] = read_counts.get(cursor.system, 0) + cursor.read_count
    views: list[SystemView] = []
    for each in systems.list_systems(tx):
        marks = stale.get(each.system)
        views.append(
            SystemView(
                system=each.system,
                connector=each.connector,
                title=each.title,
                state=each.state,
                is_healthy=each.failures_in_row == 0,
                is_reached=each.read_ok_at is not None or each.write_ok_at is not None,
                last_error=each.latest_error if each.failures_in_row else None,
                read_ok_at=each.read_ok_at,
                write_ok_at=each.write_ok_at,
                read_count=read_counts.get(each.system, 0),
                waiting_count=waiting.get(each.system, 0),
                parked_changes=parked.get(each.system, 0),
                stale_count=marks.waiting_count if marks else 0,
                held_count=marks.held_count if marks else 0,
                retrying_count=marks.retrying_count if marks else 0,
                parked_deliveries=marks.parked_count if marks else 0,
                hooks_refused_count=each.hooks_refused_count,
                hook_refused_at=each.hook_refused_at,
                hook_refusal=each.hook_refusal,
                first_reads=sorted(sync.list_unsettled(tx, system=each.system, runtime=runtime)) if runtime else [],
            )
        )
    return views
