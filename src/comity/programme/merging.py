"""Accounts follow the person when two profiles become one."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec.structs import asdict, replace

from comity.activity.api import collapse_moves
from comity.activity.types import ProfileMove
from comity.kernel.database import Tx
from comity.kernel.errors import Conflict
from comity.kernel.events import publish
from comity.ledger import api as ledger
from comity.programme import merge_store, rules, store_kinds
from comity.programme.enrolment import enrol
from comity.programme.kind_accounts import open_accounts
from comity.programme.kinds import list_kinds
from comity.programme.merge_types import MembersMerged, MergePair
from comity.programme.parting import part_strays
from comity.programme.tiers import recompute
from comity.programme.types import MEMBERS_MERGED, Programme


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
    sides = [(None, each) for each in pairs] + _list_further(tx, pairs, programme, now=now)
    balances = ledger.get_balances(
        tx, account_ids=[each.loser_account_id for _, each in sides if each.loser_account_id is not None]
    )
    since = ledger.draw_mark(tx)
    moves = [rules.plan_merge(each, kind=kind, programme=programme, since=since, now=now) for kind, each in sides]
    verdicts = ledger.move_all(tx, moves=[each for each in moves if each is not None], now=now)
    if not all(verdict.is_booked for move in verdicts for verdict in move):
        raise MergeDisturbed(details={"programme": programme.name})
    merge_store.merge_members(tx, pairs=pairs, since=since, now=now)
    beside = [(each.loser_account_id, each.survivor_account_id) for kind, each in sides if kind is not None]
    if beside:
        merge_store.copy_warnings(tx, moves=beside)
    further: dict[UUID, dict[str, int]] = {}
    for (kind, each), balance in zip(sides, balances, strict=True):
        if kind is not None and balance:
            further.setdefault(each.loser_profile_id, {})[kind] = balance
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
                    further_points=further.get(each.loser_profile_id),
                )
            )
            for each, balance in zip(pairs, balances[: len(pairs)], strict=True)
        ],
        now=now,
    )
    survivors = {each.survivor_member_id for each in pairs if each.survivor_member_id is not None}
    recompute(tx, member_ids=sorted(survivors), programme=programme, now=now)


def _list_further(
    tx: Tx, pairs: Sequence[MergePair], programme: Programme, *, now: datetime
) -> list[tuple[str | None, MergePair]]:
    """Return the pairs once more for each kind of points after the first that a loser holds, with those accounts."""
    if not list_kinds(programme).further:
        return []
    members = {each for pair in pairs for each in (pair.loser_member_id, pair.survivor_member_id) if each is not None}
    accounts = store_kinds.list_accounts(tx, member_ids=sorted(members))
    found: list[tuple[str | None, MergePair]] = []
    for pair in pairs:
        loser_id, survivor_id = pair.loser_member_id or 0, pair.survivor_member_id or 0
        theirs = accounts.setdefault(survivor_id, {})
        for kind, account_id in sorted(accounts.get(loser_id, {}).items()):
            if kind not in theirs:
                [theirs[kind]] = open_accounts(tx, [(programme.name, survivor_id, kind)], now=now)
            found.append((kind, replace(pair, loser_account_id=account_id, survivor_account_id=theirs[kind])))
    return found
