"""Accounts follow the person when two profiles become one, and stay apart when one becomes two."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec.structs import asdict

from comity.activity.api import collapse_moves
from comity.activity.types import ProfileMove
from comity.kernel.database import Tx
from comity.kernel.errors import Conflict
from comity.kernel.events import publish
from comity.ledger import api as ledger
from comity.programme import rules, store
from comity.programme.enrolment import enrol
from comity.programme.tiers import recompute
from comity.programme.types import (
    MEMBER_ENROLLED,
    MEMBERS_MERGED,
    MemberEnrolled,
    MembersMerged,
    MergePair,
    Programme,
)


class MergeDisturbed(Conflict):
    """The balance of a member changed while it was moved; try again."""


def merge_members(tx: Tx, *, moves: Sequence[ProfileMove], programmes: Sequence[Programme], now: datetime) -> int:
    """Let the survivors of merged profiles hold what the losers held, and return how many memberships moved.

    Balances move by a transfer that names the member they came from; earnings and aliases go along, so that purchases
    stay counted once and the old profile still finds the account. Repeatable. Publishes `programme.members_merged`
    and `programme.tier_changed`. Raises MergeDisturbed.
    """
    collapsed = collapse_moves(moves)
    if not collapsed:
        return 0
    return sum(_merge(tx, moves=collapsed, programme=programme, now=now) for programme in programmes)


def part_members(tx: Tx, *, profile_ids: Sequence[UUID], programmes: Sequence[Programme], now: datetime) -> int:
    """Give profiles that live again a membership of their own, and return how many got theirs back.

    Until then they would see and spend what belongs to somebody else. They start with nothing: what was earned before
    stays where the merge brought it. Who had no membership then is a stranger again. Repeatable. Publishes
    `programme.member_enrolled`.
    """
    if not profile_ids:
        return 0
    count = 0
    for programme in programmes:
        tier = rules.explain_tier(programme.spec.tiers, 0).tier
        parted = store.part_members(tx, programme=programme.name, profile_ids=profile_ids, tier=tier, now=now)
        publish(
            tx,
            kind=MEMBER_ENROLLED,
            payloads=[asdict(MemberEnrolled(profile_id=each, programme=programme.name, tier=tier)) for each in parted],
            now=now,
        )
        count += len(parted)
    return count


def _merge(tx: Tx, *, moves: Sequence[ProfileMove], programme: Programme, now: datetime) -> int:
    pairs = store.lock_pairs(tx, programme=programme.name, moves=moves)
    homeless = [
        each.survivor_profile_id
        for each in pairs
        if each.loser_member_id is not None and each.survivor_member_id is None
    ]
    if homeless:
        enrol(tx, profile_ids=homeless, programme=programme, now=now)
        pairs = store.lock_pairs(tx, programme=programme.name, moves=moves)
    aliases = [
        (each.loser_profile_id, each.survivor_member_id)
        for each in pairs
        if each.loser_member_id is None and each.survivor_member_id is not None
    ]
    if aliases:
        store.insert_aliases(tx, programme=programme.name, aliases=aliases, now=now)
    merging = [
        each
        for each in pairs
        if each.loser_member_id is not None
        and each.survivor_member_id is not None
        and each.loser_member_id != each.survivor_member_id
    ]
    if merging:
        _move(tx, pairs=merging, programme=programme, now=now)
    return len(merging)


def _move(tx: Tx, *, pairs: Sequence[MergePair], programme: Programme, now: datetime) -> None:
    balances = ledger.get_balances(
        tx, account_ids=[each.loser_account_id for each in pairs if each.loser_account_id is not None]
    )
    postings = rules.plan_merge_postings(pairs, balances, programme=programme, now=now)
    if not all(verdict.is_booked for verdict in ledger.post(tx, postings=postings, now=now)):
        raise MergeDisturbed(details={"programme": programme.name})
    store.merge_members(tx, pairs=pairs, now=now)
    publish(
        tx,
        kind=MEMBERS_MERGED,
        payloads=[
            asdict(
                MembersMerged(
                    profile_id=each.survivor_profile_id,
                    programme=programme.name,
                    loser_profile_id=each.loser_profile_id,
                    points=balance,
                )
            )
            for each, balance in zip(pairs, balances, strict=True)
        ],
        now=now,
    )
    survivors = {each.survivor_member_id for each in pairs if each.survivor_member_id is not None}
    recompute(tx, member_ids=sorted(survivors), programme=programme, now=now)
