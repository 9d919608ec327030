"""Members spend points."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from msgspec.structs import replace

from comity.kernel.database import Tx
from comity.kernel.errors import Broken, ComityError
from comity.ledger import api as ledger
from comity.ledger.types import PostingStatus, PostingVerdict
from comity.programme import rules, store
from comity.programme.kind_accounts import choose
from comity.programme.kinds import KindNotSpendable, UnknownKind
from comity.programme.moving import Stand, find_bound, find_stands, publish_redeemed, tell_balance
from comity.programme.strangers import tell_strangers
from comity.programme.tiers import lock_members
from comity.programme.types import (
    InsufficientPoints,
    InvalidRedemption,
    KeyReused,
    LockedMember,
    PointsRedeemed,
    Programme,
    Redeemed,
    Redemption,
    RedemptionStatus,
    RedemptionVerdict,
    UnknownMember,
)
from comity.programme.wishes import ProgrammeNotDefined

_STATUSES = {
    PostingStatus.POSTED: RedemptionStatus.REDEEMED,
    PostingStatus.DUPLICATE: RedemptionStatus.DUPLICATE,
    PostingStatus.KEY_REUSED: RedemptionStatus.KEY_REUSED,
    PostingStatus.INSUFFICIENT: RedemptionStatus.INSUFFICIENT_POINTS,
    PostingStatus.INVALID: RedemptionStatus.INVALID,
}


_REFUSALS: dict[RedemptionStatus, type[ComityError]] = {
    RedemptionStatus.INSUFFICIENT_POINTS: InsufficientPoints,
    RedemptionStatus.UNKNOWN_KIND: UnknownKind,
    RedemptionStatus.KIND_NOT_SPENDABLE: KindNotSpendable,
    RedemptionStatus.UNKNOWN_MEMBER: UnknownMember,
    RedemptionStatus.UNKNOWN_PROGRAMME: ProgrammeNotDefined,
    RedemptionStatus.KEY_REUSED: KeyReused,
    RedemptionStatus.INVALID: InvalidRedemption,
}

_REFUSED = {error: status for status, error in _REFUSALS.items()}


def redeem_many(
    tx: Tx, *, redemptions: Sequence[Redemption], now: datetime, programmes: Mapping[str, Programme] | None = None
) -> list[RedemptionVerdict]:
    """Redeem in order, each on its own merits, and return one verdict each, with balance and tier.

    An idempotency key stands for (profile, programme, points, kind, reason, reference) for good: the same request again
    gets the transfer of the first time, with balance and tier as they are now; another request is `key_reused`.
    Balances are what can be spent, as `Member.points`. A refused redemption leaves its key free.
    Publishes `programme.points_redeemed`, `programme.large_redemption` and `programme.tier_changed`.
    """
    verdicts = [RedemptionVerdict(status=RedemptionStatus.INVALID) for _ in redemptions]
    places = [place for place, each in enumerate(redemptions) if rules.is_valid_redemption(each)]
    if not places:
        return verdicts
    wishes = [(redemptions[place].profile_id, redemptions[place].programme) for place in places]
    found = lock_members(tx, wishes=wishes, programmes=programmes, now=now)
    members = {place: found[index] for index, place in enumerate(places) if index in found}
    strangers = [place for place in places if place not in members]
    told = tell_strangers(
        tx, asked=[(redemptions[place].profile_id, redemptions[place].programme) for place in strangers]
    )
    members, refused = choose(tx, members, {place: redemptions[place].kind for place in members}, now=now)
    for place, error in (*zip(strangers, told, strict=True), *refused.items()):
        verdicts[place] = RedemptionVerdict(status=_REFUSED[type(error)])
    booked = ledger.post(
        tx,
        postings=[rules.plan_redemption(redemptions[place], member) for place, member in members.items()],
        now=now,
    )
    stands = find_stands(tx, members.values())
    for (place, member), verdict in zip(members.items(), booked, strict=True):
        verdicts[place] = _to_verdict(verdict, member, stands[member.account_id])
    short = [place for place in members if verdicts[place].status is RedemptionStatus.INSUFFICIENT_POINTS]
    bound = find_bound(tx, [members[place] for place in short])
    for place in short:
        balance = (verdicts[place].balance or 0) - bound[members[place].account_id]
        verdicts[place] = replace(verdicts[place], balance=max(0, balance))
    _note_redeemed(tx, redemptions, members, verdicts, programmes, now=now)
    return verdicts


def redeem(
    tx: Tx,
    *,
    profile_id: UUID,
    programme: str,
    points: int,
    kind: str | None = None,
    idempotency_key: str,
    reason: str = "",
    now: datetime,
) -> Redeemed:
    """Redeem points of one member; the same call again answers the same, without spending again.

    Raises InsufficientPoints, UnknownMember, ProgrammeNotDefined, KeyReused, UnknownKind, KindNotSpendable and
    InvalidRedemption (points not above zero or beyond the limit).
    """
    redemption = Redemption(
        profile_id=profile_id,
        programme=programme,
        points=points,
        kind=kind,
        idempotency_key=idempotency_key,
        reason=reason,
    )
    [verdict] = redeem_many(tx, redemptions=[redemption], now=now)
    refusal = tell_refusal(redemption, verdict)
    if refusal is not None:
        raise refusal
    if verdict.transfer_id is None or verdict.balance is None:
        raise Broken("A redemption stands in the books without transfer or balance.")
    return Redeemed(
        transfer_id=verdict.transfer_id,
        balance=verdict.balance,
        pending=verdict.pending or 0,
        tier=verdict.tier,
        is_duplicate=verdict.status is RedemptionStatus.DUPLICATE,
    )


def tell_refusal(redemption: Redemption, verdict: RedemptionVerdict) -> ComityError | None:
    """Return the error that a verdict on a redemption stands for; None when it is in the books."""
    error = _REFUSALS.get(verdict.status)
    if error is None:
        return None
    details = {
        "profile_id": str(redemption.profile_id),
        "programme": redemption.programme,
        "points": redemption.points,
        "kind": redemption.kind,
        "idempotency_key": redemption.idempotency_key,
        "balance": verdict.balance,
    }
    return error(details={name: value for name, value in details.items() if value is not None})


def _to_verdict(verdict: PostingVerdict, member: LockedMember, stand: Stand) -> RedemptionVerdict:
    status = _STATUSES.get(verdict.status)
    if status is None:
        raise Broken("A member's account is missing.", details={"account_id": member.account_id})
    if status is RedemptionStatus.KEY_REUSED:
        return RedemptionVerdict(status=status)
    if not verdict.is_booked:
        return RedemptionVerdict(status=status, balance=verdict.debit_balance_after, tier=member.tier)
    return RedemptionVerdict(
        status=status,
        transfer_id=verdict.transfer_id,
        balance=tell_balance(verdict.status, verdict.debit_balance_after, stand),
        pending=stand.pending,
        tier=member.tier,
    )


def _note_redeemed(
    tx: Tx,
    redemptions: Sequence[Redemption],
    members: dict[int, LockedMember],
    verdicts: Sequence[RedemptionVerdict],
    programmes: Mapping[str, Programme] | None,
    *,
    now: datetime,
) -> None:
    done = [place for place in members if verdicts[place].status is RedemptionStatus.REDEEMED]
    asked = [
        (transfer_id, redemptions[place].profile_id, members[place].programme)
        for place in done
        if redemptions[place].profile_id != members[place].profile_id
        and (transfer_id := verdicts[place].transfer_id) is not None
    ]
    store.note_asked(tx, asked=asked)
    publish_redeemed(
        tx,
        member_ids=[members[place].member_id for place in done],
        redeemed=[
            PointsRedeemed(
                profile_id=members[place].profile_id,
                programme=members[place].programme,
                points=redemptions[place].points,
                balance=verdicts[place].balance,
                transfer_id=verdicts[place].transfer_id,
                kind=members[place].kind_name,
            )
            for place in done
        ],
        programmes=programmes,
        now=now,
    )
