"""Who was merged by mistake gets back what is theirs, by the key of its source: lots, holds, debts, tier.

Also what was earned and spent meanwhile: purchases go with the record or Global ID they name, redemptions and holds
with the Global ID that asked for them. Points that one side spent and that were the other's come back into their lots,
and who spent them pays: from what they can spend; what is beyond that they owe, or the programme bears, as its
definition says. The transfers and `programme.points_parted` say so.
"""

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from uuid import UUID

from msgspec.structs import asdict

from comity.activity.types import ProfileMove
from comity.kernel.database import Tx
from comity.kernel.events import publish
from comity.ledger import api as ledger
from comity.ledger.api import Flow, Parted, Parting, Shortfall
from comity.programme import ladders, merge_store, pool_shares, rules, store, store_pools
from comity.programme.enrolment import enrol
from comity.programme.ladders import Levels
from comity.programme.merge_types import PointsParted, Risen
from comity.programme.purses import Purse, list_purses, list_purses_of
from comity.programme.tiers import recompute
from comity.programme.types import (
    MEMBER_ENROLLED,
    POINTS_PARTED,
    LockedMember,
    MemberEnrolled,
    Programme,
)

REASON = "Two profiles are two again: each has its own by the key of its source, and who spent the other's points pays."


def part_members(tx: Tx, *, profile_ids: Sequence[UUID], programmes: Sequence[Programme], now: datetime) -> int:
    """Give profiles that live again a membership of their own with what is theirs, and return how many got it back.

    Who had no membership then is a stranger again. Repeatable. Publishes `programme.member_enrolled`,
    `programme.points_parted` and `programme.tier_changed`.
    """
    if not profile_ids:
        return 0
    return sum(
        len(_part_all(tx, profile_ids=profile_ids, programme=each, is_moving=False, now=now)) for each in programmes
    )


def part_strays(tx: Tx, *, moves: Sequence[ProfileMove], programme: Programme, now: datetime) -> None:
    """Part those who were merged into somebody else than who stands for them by now."""
    strays = merge_store.list_strays(tx, programme=programme.name, moves=moves)
    if strays:
        _part_all(tx, profile_ids=strays, programme=programme, is_moving=True, now=now)


def move_purchases(tx: Tx, *, profile_ids: Sequence[UUID], programmes: Sequence[Programme], now: datetime) -> int:
    """Let points follow purchases whose record has left these profiles for others, and return from how many.

    Whoever they belong to now becomes a member. Repeatable. Publishes as `part_members`.
    """
    count = 0
    for programme in programmes if profile_ids else ():
        misplaced = merge_store.list_misplaced(tx, programme=programme.name, profile_ids=profile_ids)
        enrol(tx, profile_ids=sorted({each for _, _, each in misplaced}), programme=programme, now=now)
        wishes = [(each, programme.name) for _, holder, profile_id in misplaced for each in (holder, profile_id)]
        members = store.lock_members(tx, wishes=wishes, now=now) if wishes else {}
        memberships = _hold_pools(tx, {each.member_id: [each.account_id] for each in members.values()})
        for place in range(0, len(wishes), 2):
            _move_purchases(
                tx,
                source=members[place],
                target=members[place + 1],
                programme=programme,
                memberships=memberships,
                now=now,
            )
        count += len(misplaced)
    return count


def _hold_pools(tx: Tx, members: Mapping[int, Collection[int]]) -> dict[int, frozenset[int]]:
    """Hold the pools of locked members, and return the memberships that each of them stands for.

    `members` are the accounts that are to be held, too, where there are pools, by member.
    """
    found: dict[int, frozenset[int]] = {}
    accounts = {account_id for each in members.values() for account_id in each}
    for member_id in sorted(members):
        aliases = merge_store.list_aliases(tx, member_id=member_id)
        found[member_id] = frozenset({member_id, *(each.member_id for each in aliases)})
        accounts |= {account_id for each in aliases for account_id in (*each.merged_via, each.account_id) if account_id}
    pools = store_pools.lock_pools(tx, member_ids=sorted(frozenset[int]().union(*found.values())))
    if pools:
        ledger.hold_accounts(tx, account_ids=[*pools, *accounts])
    return found


def _part_all(
    tx: Tx, *, profile_ids: Sequence[UUID], programme: Programme, is_moving: bool, now: datetime
) -> list[Risen]:
    risen = merge_store.lock_risen(tx, programme=programme.name, profile_ids=profile_ids, is_moving=is_moving)
    merge_store.forget_aliases(tx, member_ids=[each.member_id for each in risen if each.account_id is None])
    parted = [each for each in risen if each.account_id is not None]
    if parted:
        _hold_pools(tx, {each.holder_member_id: [each.holder_account_id] for each in parted})
    levels = ladders.start(programme.spec)
    for each in parted:
        _part(tx, each, levels=levels, programme=programme, now=now)
    publish(
        tx,
        kind=MEMBER_ENROLLED,
        payloads=[
            asdict(MemberEnrolled(profile_id=each.profile_id, programme=programme.name, tier=levels.tier))
            for each in parted
        ],
        now=now,
    )
    touched = {each.member_id for each in parted} | {each.holder_member_id for each in parted}
    recompute(tx, member_ids=sorted(touched), programme=programme, now=now)
    return parted


def _part(tx: Tx, risen: Risen, *, levels: Levels, programme: Programme, now: datetime) -> None:
    """Part one alias from who stands for it; those that were merged into it before go along."""
    aliases = merge_store.list_aliases(tx, member_id=risen.holder_member_id)
    followers = [each for each in aliases if each.master_profile_id == risen.profile_id]
    side = {risen.member_id, *(each.member_id for each in followers)}
    follower_ids = [each.member_id for each in followers]
    merge_store.part_member(tx, risen=risen, follower_ids=follower_ids, levels=levels, now=now)
    purchase_ids = merge_store.move_earnings(
        tx,
        programme=programme.name,
        source_member_id=risen.holder_member_id,
        target_member_id=risen.member_id,
        profile_ids=[risen.profile_id, *(each.profile_id for each in followers)],
    )
    merge_store.count_again(tx, member_ids=[risen.member_id, risen.holder_member_id])
    pool_shares.call_strays_home(
        tx,
        account_id=risen.holder_account_id,
        member_ids={risen.holder_member_id, *(each.member_id for each in aliases)},
        target_member_id=risen.member_id,
        side=side,
        day=rules.to_local_date(now, programme.spec.timezone),
        now=now,
    )
    sharing = [each.account_id for each in aliases if each.account_id is not None]
    shared = sorted({risen.holder_account_id, *sharing}.union(*(each.merged_via for each in aliases)))
    transfers = merge_store.list_transfers_of(tx, programme=programme.name, purchase_ids=purchase_ids)
    for purse in list_purses(tx, programme, risen, accounts=shared, now=now):
        merge_store.copy_warnings(tx, moves=[(purse.source_account_id, purse.target_account_id)])
        flows = ledger.list_flows(
            tx,
            account_ids=purse.beside(shared),
            since=min(each.merged_since for each in aliases if each.merged_since is not None),
            transfer_ids=purse.pick(transfers),
        )
        side_accounts = set(purse.beside(each.account_id for each in (risen, *followers)))
        _settle(
            tx,
            purse,
            key=f"unmerge:{risen.member_id}",
            external_id=f"member:{risen.member_id}",
            accounts=purse.beside([risen.holder_account_id, *sharing]),
            side_accounts=sorted(side_accounts),
            flows=flows,
            own=_find_own(
                tx, flows, programme=programme, member_id=risen.member_id, member_ids=side, accounts=side_accounts
            ),
            programme=programme,
            holder=risen.holder_profile_id,
            parted_profile=risen.profile_id,
            now=now,
        )


def _find_own(
    tx: Tx,
    flows: Sequence[Flow],
    *,
    programme: Programme,
    member_id: int,
    member_ids: AbstractSet[int],
    accounts: AbstractSet[int],
) -> frozenset[int]:
    """Return the side's transfers: earned by its purchases, asked for by its members, or booked on its own accounts.

    `member_id` is the one whose earnings theirs are.
    """
    origins = {each.origin_id: each for each in flows}
    askers = merge_store.list_askers(tx, transfer_ids=sorted(origins))
    purchases = {each.origin_id: rules.find_purchase(each.origin_key, programme=programme.name) for each in flows}
    earners = merge_store.list_members_of(
        tx, programme=programme.name, purchase_ids=sorted({each for each in purchases.values() if each is not None})
    )
    own: set[int] = set()
    for origin_id, flow in origins.items():
        purchase_id = purchases[origin_id]
        if origin_id in askers:
            is_own = askers[origin_id] in member_ids
        elif purchase_id is not None and purchase_id in earners:
            is_own = earners[purchase_id] == member_id
        else:
            is_own = flow.origin_account_id in accounts
        if is_own:
            own.add(origin_id)
    return frozenset(own)


def _move_purchases(
    tx: Tx,
    *,
    source: LockedMember,
    target: LockedMember,
    programme: Programme,
    memberships: Mapping[int, AbstractSet[int]],
    now: datetime,
) -> None:
    purchase_ids = merge_store.move_earnings(
        tx,
        programme=programme.name,
        source_member_id=source.member_id,
        target_member_id=target.member_id,
        profile_ids=[target.profile_id],
    )
    if purchase_ids:
        merge_store.count_again(tx, member_ids=[source.member_id, target.member_id])
        pool_shares.call_strays_home(
            tx,
            account_id=source.account_id,
            member_ids=memberships[source.member_id] | {target.member_id},
            target_member_id=target.member_id,
            side=memberships[target.member_id],
            day=source.today,
            now=now,
        )
    transfers = merge_store.list_transfers_of(tx, programme=programme.name, purchase_ids=purchase_ids)
    for purse in list_purses_of(tx, programme, source, target, now=now) if purchase_ids else ():
        merge_store.copy_warnings(tx, moves=[(purse.source_account_id, purse.target_account_id)])
        earned = purse.pick(transfers)
        accounts = (purse.source_account_id, purse.target_account_id)
        flows = ledger.list_flows(tx, account_ids=accounts, since=ledger.draw_mark(tx), transfer_ids=earned)
        _settle(
            tx,
            purse,
            key=f"unmerge:{source.member_id}:{target.member_id}",
            external_id=f"member:{source.member_id}",
            accounts=accounts,
            side_accounts=(),
            flows=flows,
            own=earned,
            programme=programme,
            holder=source.profile_id,
            parted_profile=target.profile_id,
            now=now,
        )
    recompute(tx, member_ids=sorted([source.member_id, target.member_id]), programme=programme, now=now)


def _settle(
    tx: Tx,
    purse: Purse,
    *,
    key: str,
    external_id: str,
    accounts: Sequence[int],
    side_accounts: Sequence[int],
    flows: Sequence[Flow],
    own: Collection[int],
    programme: Programme,
    holder: UUID,
    parted_profile: UUID,
    now: datetime,
) -> None:
    """Let the ledger part one kind of points, and tell both what became of them."""
    wish = Parting(
        idempotency_key=f"{key}:{ledger.draw_mark(tx)}",
        source_account_id=purse.source_account_id,
        target_account_id=purse.target_account_id,
        account_ids=tuple(accounts),
        side_account_ids=tuple(side_accounts),
        flows=tuple(flows),
        own_transfer_ids=frozenset(own),
        move_kind=rules.MERGE,
        external_id=external_id,
        programme_account_id=purse.programme_account_id,
        kind=rules.UNMERGE,
        effective_on=rules.to_local_date(now, programme.spec.timezone),
        system=rules.OWN_SYSTEM,
        reason=REASON,
        shortfall=Shortfall(programme.spec.unmerge.shortfall),
    )
    [parted] = ledger.part(tx, partings=[wish], now=now)
    _tell(tx, parted, purse, programme=programme, holder=holder, parted_profile=parted_profile, now=now)


def _tell(
    tx: Tx,
    parted: Parted,
    purse: Purse,
    *,
    programme: Programme,
    holder: UUID,
    parted_profile: UUID,
    now: datetime,
) -> None:
    if purse.is_further and parted == Parted():
        return
    told = [
        PointsParted(
            profile_id=parted_profile,
            programme=programme.name,
            other_profile_id=holder,
            points=parted.moved,
            given_back=parted.given_back_to_target,
            paid=parted.paid_by_target,
            shortfall=parted.shortfall_of_target,
            let_go=parted.let_go_of_target,
            policy=programme.spec.unmerge.shortfall,
            kind=purse.kind,
        ),
        PointsParted(
            profile_id=holder,
            programme=programme.name,
            other_profile_id=parted_profile,
            points=-parted.moved,
            given_back=parted.given_back_to_source,
            paid=parted.paid_by_source,
            shortfall=parted.shortfall_of_source,
            let_go=parted.let_go_of_source,
            policy=programme.spec.unmerge.shortfall,
            kind=purse.kind,
        ),
    ]
    publish(tx, kind=POINTS_PARTED, payloads=[asdict(each) for each in told], now=now)
