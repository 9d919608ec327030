"""Accounts follow the person when two profiles become one."""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import asdict

from comity.activity.api import collapse_moves
from comity.activity.types import ProfileMove
from comity.kernel.database import Tx
from comity.kernel.errors import Conflict
from comity.kernel.events import publish
from comity.ledger import api as ledger
from comity.programme import merge_store, rules
from comity.programme.enrolment import enrol
from comity.programme.parting import part_strays
from comity.programme.tiers import recompute
from comity.programme.types import MEMBERS_MERGED, MembersMerged, MergePair, Programme


class MergeDisturbed(Conflict):
    """The balance of a member changed while it was moved; try again."""


def merge_members(tx: Tx, *, moves: Sequence[ProfileMove], programmes: Sequence[Programme], now: datetime) -> int:
    """Let the survivors of merged profiles hold what the losers held, and return how many memberships moved.

    Lots move as they are, pending ones too, debts and open holds with them, by transfers that name the member they came
    from; earnings and aliases go along, so that purchases stay counted once and the old profile still finds the
    account. Who was merged into somebody else before is parted from them first. Repeatable. Publishes
    `programme.members_merged` and `programme.tier_changed`. Raises MergeDisturbed.
    """
    collapsed = collapse_moves(moves)
    if not collapsed:
        return 0
    return sum(_merge(tx, moves=collapsed, programme=programme, now=now) for programme in programmes)


def _merge(tx: Tx, *, moves: Sequence[ProfileMove], programme: Programme, now: datetime) -> int:
    part_strays(tx, moves=moves, programme=programme, now=now)
    pairs = merge_store.lock_pairs(tx, programme=programme.name, moves=moves)
    homeless = [
        each.survivor_profile_id
        for each in pairs
        if each.loser_member_id is not None and each.survivor_member_id is None
    ]
    if homeless:
        enrol(tx, profile_ids=homeless, programme=programme, now=now)
        pairs = merge_store.lock_pairs(tx, programme=programme.name, moves=moves)
    aliases = [
        (each.loser_profile_id, each.survivor_member_id)
        for each in pairs
        if each.loser_member_id is None and each.survivor_member_id is not None
    ]
    if aliases:
        merge_store.insert_aliases(tx, programme=programme.name, aliases=aliases, now=now)
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
    since = ledger.draw_mark(tx)
    moves = [rules.plan_merge(each, programme=programme, since=since, now=now) for each in pairs]
    verdicts = ledger.move_all(tx, moves=[each for each in moves if each is not None], now=now)
    if not all(verdict.is_booked for move in verdicts for verdict in move):
        raise MergeDisturbed(details={"programme": programme.name})
    merge_store.merge_members(tx, pairs=pairs, since=since, now=now)
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
