"""What programmes do about events; one reader hands both kinds over, profiles first, in the order of the log."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from comity.activity.types import PURCHASE_CHANGED, PURCHASE_RECORDED, ProfileMove, PurchaseChanged, PurchaseRecorded
from comity.identity.types import PROFILE_CREATED, PROFILES_MERGED, RECORDS_MOVED
from comity.kernel.database import Tx
from comity.kernel.events import Event
from comity.programme import budgets, referrals, store
from comity.programme.earning import earn_for_purchases
from comity.programme.enrolment import Chooser, enrol
from comity.programme.merging import merge_members
from comity.programme.parting import move_purchases, part_members
from comity.programme.referrals import Pair, Sharing
from comity.programme.settling import follow_purchases
from comity.programme.types import Programme

_PEOPLE = {
    PROFILE_CREATED: ("profile_id",),
    PROFILES_MERGED: ("loser_profile_id", "survivor_profile_id"),
    RECORDS_MOVED: ("source", "target"),
    PURCHASE_RECORDED: ("profile_id",),
    PURCHASE_CHANGED: ("profile_id",),
}
"""Whom events are about: their referrals may have changed."""


class ProfileCreated(msgspec.Struct, frozen=True, kw_only=True):
    """Payload of `identity.profile_created`."""

    profile_id: UUID


def _nobody_shares(_tx: Tx, _pairs: Sequence[Pair]) -> set[Pair]:
    return set()


def handle_events(
    tx: Tx,
    *,
    events: Sequence[Event],
    programmes: Sequence[Programme],
    now: datetime,
    choose: Chooser | None = None,
    shares: Sharing = _nobody_shares,
) -> None:
    """Handle a batch of any of the kinds; others are passed over. `shares` tells referrals who refers themselves."""
    buyers = {
        msgspec.convert(each.payload, PurchaseChanged).profile_id
        for each in events
        if each.kind in {PURCHASE_RECORDED, PURCHASE_CHANGED}
    }
    if buyers:
        for programme in programmes:  # Budgets before members, as everywhere: those who wait stand in one line.
            budgets.hold(tx, programme=programme, now=now)
    if len(programmes) > 1 or any(each.kind == PURCHASE_CHANGED for each in events):
        # In several programmes, or steps: all members at once, so that nobody waits for us while we wait for them.
        wishes = [(profile_id, programme.name) for programme in programmes for profile_id in sorted(buyers)]
        store.lock_members(tx, wishes=wishes, now=now)
    handle_profile_events(tx, events=events, programmes=programmes, now=now, choose=choose)
    handle_purchase_events(tx, events=events, programmes=programmes, now=now)
    left = {UUID(each.payload["source"]) for each in events if each.kind == RECORDS_MOVED}
    move_purchases(tx, profile_ids=sorted(left), programmes=programmes, now=now)
    touched = {UUID(each.payload[name]) for each in events for name in _PEOPLE.get(each.kind, ())}
    for programme in programmes:
        referrals.decide(tx, profile_ids=touched, programme=programme, shares=shares, now=now)


def handle_profile_events(
    tx: Tx, *, events: Sequence[Event], programmes: Sequence[Programme], now: datetime, choose: Chooser | None = None
) -> None:
    """Enrol new profiles where that is automatic, part the members of parted profiles, merge those of merged ones.

    A condition on enrolment needs `choose`; without it nobody is enrolled by that programme.
    """
    created = [
        msgspec.convert(each.payload, ProfileCreated).profile_id for each in events if each.kind == PROFILE_CREATED
    ]
    part_members(tx, profile_ids=created, programmes=programmes, now=now)
    for programme in programmes:
        if programme.spec.enrol.automatic and created:
            if programme.spec.enrol.when is None:
                enrol(tx, profile_ids=created, programme=programme, now=now)
            elif choose is not None:
                enrol(tx, profile_ids=choose(tx, programme, created), programme=programme, now=now)
    moves = [msgspec.convert(each.payload, ProfileMove) for each in events if each.kind == PROFILES_MERGED]
    merge_members(tx, moves=moves, programmes=programmes, now=now)
    # Who was merged and parted again within the batch became an alias just now.
    merged = {each.loser_profile_id for each in moves}
    part_members(tx, profile_ids=[each for each in created if each in merged], programmes=programmes, now=now)


def handle_purchase_events(tx: Tx, *, events: Sequence[Event], programmes: Sequence[Programme], now: datetime) -> None:
    """Let recorded purchases earn; what the changed ones have earned follows."""
    purchases = [msgspec.convert(each.payload, PurchaseRecorded) for each in events if each.kind == PURCHASE_RECORDED]
    earn_for_purchases(tx, purchases=purchases, programmes=programmes, now=now)
    changed = {
        msgspec.convert(each.payload, PurchaseChanged).purchase_id for each in events if each.kind == PURCHASE_CHANGED
    }
    follow_purchases(tx, purchase_ids=sorted(changed), programmes=programmes, now=now)
