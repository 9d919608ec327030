"""Referrals: who brings a friend earns once the friend's purchase cannot come back, and no longer when it does.

A referral is decided anew whenever one of its facts may have changed: a purchase of the friend, a return, a merge, a
day. What it gave is never altered; points that are no longer due are taken back by reversals.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from msgspec.structs import asdict, replace

from comity.kernel.database import Tx
from comity.kernel.errors import Broken
from comity.kernel.events import publish
from comity.ledger import api as ledger
from comity.ledger.types import POSTINGS_MAX, Posting, PostingStatus, Reversal
from comity.programme import referral_rules, rules, running, store
from comity.programme import store_referrals as referrals_store
from comity.programme.engine.days import to_business_day
from comity.programme.engine.lifetimes import plan_terms
from comity.programme.engine.replaying import pick_version
from comity.programme.history import POLICIES
from comity.programme.kind_accounts import provide
from comity.programme.moving import publish_moved
from comity.programme.promotions import (
    REFERRAL_DECIDED,
    Referral,
    ReferralDecided,
    ReferralNotOffered,
    ReferralWish,
    UnknownReferral,
)
from comity.programme.referral_rules import ADVOCATE, FRIEND, Gift, StoredReferral
from comity.programme.strangers import tell_stranger
from comity.programme.types import KeyReused, LockedMember, Programme, UnknownMember
from comity.programme.wishes import PointsMoved, WishInvalid

Pair = tuple[UUID, UUID]

Sharing = Callable[[Tx, Sequence[Pair]], Collection[Pair]]
"""Returns those of the pairs of profiles who have what people are found by in common, though they are two."""

BATCH_COUNT = 500
WHAT = ("profile_id", "friend_profile_id", "programme")
"""What makes two wishes of one key the same."""


def refer(tx: Tx, *, wish: ReferralWish, programme: Programme, shares: Sharing, now: datetime) -> Referral:
    """Note that a member brought a friend, and decide it by what is known.

    The same wish again answers with the referral as it stands now. Raises WishInvalid, UnknownMember,
    ReferralNotOffered, KeyReused. Publishes `programme.referral_decided`.
    """
    if not rules.can_post_wish(wish.idempotency_key) or wish.referred_at > now:
        raise WishInvalid("A referral has a key of at most 450 printable characters and lies not in the future.")
    versions = running.list_versions(programme)
    day = to_business_day(wish.referred_at, versions[-1].rules.zone)
    if pick_version(versions, day).spec.referral is None:
        raise ReferralNotOffered(details={"programme": programme.name, "referred_on": day.isoformat()})
    wishes = [(wish.profile_id, programme.name), (wish.friend_profile_id, programme.name)]
    found = store.lock_members(tx, wishes=wishes, now=now)
    for place, (profile_id, name) in enumerate(wishes):
        if place not in found:
            raise UnknownMember(details={"profile_id": str(profile_id), "programme": name})
    former = referrals_store.find_referral(tx, idempotency_key=wish.idempotency_key)
    if former is not None:
        if any(getattr(former, name) != getattr(wish, name) for name in WHAT):
            raise KeyReused(details={"idempotency_key": wish.idempotency_key})
        return replace(former, is_duplicate=True)
    referral_id = referrals_store.insert_referral(tx, wish=wish, now=now)
    if referral_id is None:
        raise KeyReused(details={"idempotency_key": wish.idempotency_key})
    decide(tx, profile_ids=[wish.friend_profile_id], programme=programme, shares=shares, now=now, fresh={referral_id})
    return get_referral(tx, referral_id=referral_id)


def get_referral(tx: Tx, *, referral_id: int) -> Referral:
    """Return a referral as it stands. Raises UnknownReferral."""
    found = referrals_store.find_referral(tx, referral_id=referral_id)
    if found is None:
        raise UnknownReferral(details={"referral_id": referral_id})
    return found


def list_referrals(
    tx: Tx, *, profile_id: UUID, programme: str, before_referral_id: int | None, limit_max: int, now: datetime
) -> list[Referral]:
    """Return a page of a member's referrals, as advocate or as friend, newest first.

    Raises UnknownMember, ProgrammeNotDefined.
    """
    member = store.find_member(tx, profile_id=profile_id, programme=programme, now=now)
    if member is None:
        raise tell_stranger(tx, profile_id=profile_id, programme=programme)
    return referrals_store.list_told(
        tx,
        programme=programme,
        member_id=member.member_id,
        before_referral_id=before_referral_id,
        limit_max=limit_max,
    )


def mature(tx: Tx, *, programme: Programme, shares: Sharing, now: datetime) -> int:
    """Decide the next referrals whose day has come, and return how many; 0 at the end. Repeatable.

    Each batch may be a transaction of its own. Publishes `programme.referral_decided` and `programme.points_moved`.
    """
    today = rules.to_local_date(now, programme.spec.timezone)
    friends = referrals_store.list_due(tx, programme=programme.name, today=today, limit_max=BATCH_COUNT)
    decide(tx, profile_ids=friends, programme=programme, shares=shares, now=now)
    return len(friends)


def decide(
    tx: Tx,
    *,
    profile_ids: Collection[UUID],
    programme: Programme,
    shares: Sharing,
    now: datetime,
    fresh: Collection[int] = (),
) -> None:
    """Decide all referrals of these people anew, and those of the same advocates; book what that comes to. Repeatable.

    `fresh` ones are told even where they are as they were noted. Publishes `programme.referral_decided` and
    `programme.points_moved`.
    """
    if not profile_ids or not referral_rules.has_referrals(programme):
        return
    members: dict[UUID, LockedMember] = {}
    advocates, found = _gather(tx, programme, profile_ids)
    while missing := {each for referral in found for each in referral.pair} - members.keys():
        members |= _lock(tx, programme, missing | members.keys(), now=now)
        advocates, found = _gather(tx, programme, profile_ids)  # Somebody may have been merged while we waited.
    if not found:
        return
    friends = {each.friend_member_id: members[each.friend_profile_id].profile_id for each in found}
    bought = referrals_store.list_bought(tx, profile_ids=sorted(friends.values()))
    changed = referral_rules.decide(
        programme,
        found,
        advocates=advocates,
        bought={member_id: bought.get(profile_id, []) for member_id, profile_id in friends.items()},
        sharing=set(shares(tx, [each.pair for each in found])),
        today=next(iter(members.values())).today,
    )
    referrals_store.put_referrals(tx, referrals=changed)
    _book(tx, changed, members, programme, now=now)
    before = {each.referral_id: (each.state, each.reason) for each in found if each.referral_id not in fresh}
    told = changed + [each for each in found if each.referral_id in set(fresh) - {one.referral_id for one in changed}]
    publish(
        tx,
        kind=REFERRAL_DECIDED,
        payloads=[
            asdict(_tell(each, members)) for each in told if before.get(each.referral_id) != (each.state, each.reason)
        ],
        now=now,
    )


def _gather(tx: Tx, programme: Programme, profile_ids: Collection[UUID]) -> tuple[set[int], list[StoredReferral]]:
    """Return the advocates concerned, all their referrals, and all those of their friends."""
    member_ids = referrals_store.list_referred(tx, programme=programme.name, profile_ids=sorted(profile_ids))
    if not member_ids:
        return set(), []
    near = referrals_store.list_referrals(tx, programme=programme.name, member_ids=member_ids)
    advocates = {each.advocate_member_id for each in near}
    theirs = referrals_store.list_referrals(tx, programme=programme.name, member_ids=sorted(advocates))
    friends = {each.friend_member_id for each in theirs if each.advocate_member_id in advocates}
    everybody = sorted(advocates | friends)
    return advocates, referrals_store.list_referrals(tx, programme=programme.name, member_ids=everybody)


def _lock(tx: Tx, programme: Programme, profile_ids: Collection[UUID], *, now: datetime) -> dict[UUID, LockedMember]:
    asked = sorted(profile_ids)
    places = store.lock_members(tx, wishes=[(each, programme.name) for each in asked], now=now)
    if len(places) < len(asked):
        raise Broken("A referral speaks of somebody who is no member.", details={"programme": programme.name})
    return {asked[place]: member for place, member in places.items()}


class _Move(msgspec.Struct, kw_only=True):
    """Points of one side that are given (`posting`) or taken back (`reversal`), and the gift that changes."""

    told_profile_id: UUID
    member: LockedMember
    gift: Gift
    posting: Posting | None = None
    reversal: Reversal | None = None


def _book(
    tx: Tx,
    referrals: Sequence[StoredReferral],
    members: Mapping[UUID, LockedMember],
    programme: Programme,
    *,
    now: datetime,
) -> None:
    """Give what is due, then take back what is not any more: so it is there to be taken."""
    held: dict[tuple[int, str], list[Gift]] = {}
    for gift in referrals_store.list_gifts(tx, referral_ids=[each.referral_id for each in referrals]):
        held.setdefault((gift.referral_id, gift.side), []).append(gift)
    gifts: list[Gift] = []
    moves: list[_Move] = []
    holders = provide(tx, members, programme=programme, now=now)
    for each in referrals:
        for side, told in ((ADVOCATE, each.profile_id), (FRIEND, each.friend_profile_id)):
            mine = held.get((each.referral_id, side), [])
            wanted = each.get_points(side) - sum(gift.points for gift in mine)
            restored, missing = referral_rules.plan_restored(mine, max(wanted, 0))
            gifts += restored
            if missing:
                gift = Gift(
                    referral_id=each.referral_id,
                    side=side,
                    gift_number=len(mine),
                    transfer_id=0,
                    points=missing,
                    kind=referral_rules.find_kind(programme, each),
                )
                member = holders[told].of_kind(gift.kind or "")
                posting = _plan_posting(gift, member, programme)
                moves.append(_Move(told_profile_id=told, member=member, gift=gift, posting=posting))
            for gift, points in referral_rules.plan_taken(mine, max(-wanted, 0)):
                member = holders[told].of_kind(gift.kind or "")
                reversal = _plan_reversal(each, member, gift, points=points, programme=programme)
                moves.append(_Move(told_profile_id=told, member=member, gift=gift, reversal=reversal))
    moved = _give(tx, [each for each in moves if each.posting is not None], gifts, now=now)
    moved += _take(tx, [each for each in moves if each.reversal is not None], gifts, now=now)
    referrals_store.put_gifts(tx, gifts=gifts)
    publish_moved(tx, moved=moved, now=now)


def _plan_posting(gift: Gift, member: LockedMember, programme: Programme) -> Posting:
    lifetime = plan_terms(None, rules.get_expiry(programme, member), member.today)
    return Posting(
        idempotency_key=f"{rules.REFER}:{gift.referral_id}:{gift.side}:{gift.gift_number}",
        debit_account_id=member.programme_account_id,
        credit_account_id=member.account_id,
        amount=gift.points,
        kind=rules.REFER,
        reason=f"Referral {gift.referral_id} has matured.",
        effective_on=member.today,
        system=rules.OWN_SYSTEM,
        external_id=f"referral:{gift.referral_id}",
        terms=rules.to_ledger_terms(lifetime, member.today),
    )


def _plan_reversal(
    referral: StoredReferral, member: LockedMember, gift: Gift, *, points: int, programme: Programme
) -> Reversal:
    return Reversal(
        transfer_id=gift.transfer_id,
        idempotency_key=(f"un{rules.REFER}:{gift.referral_id}:{gift.side}:{gift.gift_number}:{gift.take_count + 1}"),
        effective_on=member.today,
        reason=f"Referral {gift.referral_id} is {referral.state}: {referral.reason}.",
        system=rules.OWN_SYSTEM,
        external_id=f"referral:{gift.referral_id}",
        amount=points,
        policy=POLICIES[programme.spec.returns.policy],
        account_id=member.account_id,
    )


def _give(tx: Tx, moves: Sequence[_Move], gifts: list[Gift], *, now: datetime) -> list[PointsMoved]:
    wishes = [each.posting for each in moves if each.posting]
    verdicts = [
        verdict
        for start in range(0, len(wishes), POSTINGS_MAX)
        for verdict in ledger.post(tx, postings=wishes[start : start + POSTINGS_MAX], now=now)
    ]
    moved: list[PointsMoved] = []
    for each, verdict in zip(moves, verdicts, strict=True):
        if not verdict.is_booked or verdict.transfer_id is None:
            raise Broken("Points of a referral could not be posted.", details={"status": verdict.status})
        gifts.append(replace(each.gift, transfer_id=verdict.transfer_id))
        moved.append(_tell_moved(each, each.gift.points, verdict.balance_after, verdict.transfer_id))
    store.note_asked(
        tx,
        asked=[
            (transfer.transfer_id or 0, each.told_profile_id, each.member.programme)
            for each, transfer in zip(moves, verdicts, strict=True)
            if each.told_profile_id != each.member.profile_id
        ],
    )
    return moved


def _take(tx: Tx, moves: Sequence[_Move], gifts: list[Gift], *, now: datetime) -> list[PointsMoved]:
    wishes = [each.reversal for each in moves if each.reversal]
    verdicts = [
        verdict
        for start in range(0, len(wishes), POSTINGS_MAX)
        for verdict in ledger.reverse(tx, reversals=wishes[start : start + POSTINGS_MAX], now=now)
    ]
    moved: list[PointsMoved] = []
    for each, wish, first in zip(moves, wishes, verdicts, strict=True):
        verdict = first
        if first.status is PostingStatus.ALREADY_REVERSED:
            # Somebody took points of this referral back by hand: what they left is all there is.
            [verdict] = ledger.reverse(tx, reversals=[replace(wish, amount=None)], now=now)
        if not verdict.is_booked and verdict.status is not PostingStatus.ALREADY_REVERSED:
            raise Broken("Points of a referral could not be taken back.", details={"status": verdict.status})
        wanted = wish.amount or 0
        gifts.append(
            replace(
                each.gift,
                points=each.gift.points - wanted,
                kept=each.gift.kept + wanted - verdict.amount,
                take_count=each.gift.take_count + 1,
            )
        )
        moved.append(_tell_moved(each, -verdict.amount, verdict.debit_balance_after, verdict.transfer_id))
    return moved


def _tell_moved(move: _Move, points: int, balance: int | None, transfer_id: int | None) -> PointsMoved:
    return PointsMoved(
        profile_id=move.member.profile_id,
        programme=move.member.programme,
        cause=rules.REFER,
        points=points,
        balance=balance,
        transfer_id=transfer_id,
        kind=move.member.kind_name,
    )


def _tell(referral: StoredReferral, members: Mapping[UUID, LockedMember]) -> ReferralDecided:
    return ReferralDecided(
        profile_id=members[referral.profile_id].profile_id,
        friend_profile_id=members[referral.friend_profile_id].profile_id,
        programme=referral.programme,
        referral_id=referral.referral_id,
        state=referral.state,
        reason=referral.reason,
        advocate_points=referral.advocate_points,
        friend_points=referral.friend_points,
        matures_on=referral.matures_on,
    )
