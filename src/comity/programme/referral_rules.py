"""What referrals come to, given all that is known now, and what to book for it. Pure; the engine decides."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec.structs import replace

from comity.programme.engine import facts
from comity.programme.engine.days import add_days, to_business_day
from comity.programme.engine.referring import (
    Referral,
    ReferralDecision,
    ReferralReason,
    ReferralState,
    decide_referral,
)
from comity.programme.engine.replaying import pick_version
from comity.programme.engine.returning import find_returned
from comity.programme.history import to_facts
from comity.programme.running import list_versions
from comity.programme.stands import PurchaseState
from comity.programme.types import Programme

ADVOCATE = "advocate"
FRIEND = "friend"


class StoredReferral(msgspec.Struct, frozen=True, kw_only=True):
    """A referral as it is stored, with the living members behind both sides."""

    referral_id: int
    programme: str
    profile_id: UUID
    friend_profile_id: UUID
    referred_at: datetime
    state: ReferralState
    reason: ReferralReason
    advocate_points: int
    friend_points: int
    decided_by: int | None
    matures_on: date | None
    due_on: date | None
    counted: list[tuple[str, str, int]]
    inputs: dict[str, Any]
    advocate_member_id: int
    friend_member_id: int

    @property
    def pair(self) -> tuple[UUID, UUID]:
        """Both, as they were told."""
        return self.profile_id, self.friend_profile_id

    def get_points(self, side: str) -> int:
        """Return what stands to be given to a side now."""
        if self.state is not ReferralState.MATURED:
            return 0
        return self.advocate_points if side == ADVOCATE else self.friend_points


class Gift(msgspec.Struct, frozen=True, kw_only=True):
    """What a referral gave one side by one transfer: `kept` is what should have been taken back and could not be."""

    referral_id: int
    side: str
    gift_number: int
    transfer_id: int
    points: int
    kept: int = 0
    take_count: int = 0
    kind: str | None = None


def find_kind(programme: Programme, referral: StoredReferral) -> str | None:
    """Return the kind of points that a referral gives, by what was said on its day; None is the first."""
    versions = list_versions(programme)
    spec = pick_version(versions, to_business_day(referral.referred_at, versions[-1].rules.zone)).spec.referral
    return spec.points if spec is not None else None


def has_referrals(programme: Programme) -> bool:
    """True when the programme offers referral, or did."""
    return programme.spec.referral is not None or any(each.spec.referral is not None for each in programme.past)


def decide(
    programme: Programme,
    referrals: Sequence[StoredReferral],
    *,
    advocates: Collection[int],
    bought: Mapping[int, Sequence[PurchaseState]],
    sharing: Collection[tuple[UUID, UUID]],
    today: date,
) -> list[StoredReferral]:
    """Decide all referrals of these advocates anew and return those that are other than they were.

    `referrals` are all of these advocates, and all of the friends they speak of; `bought` what friends bought, by
    member; `sharing` the pairs who have an address or a number in common. Those that gave come first: what they no
    longer use of a cap is there for others. The same again changes nothing.
    """
    selves = {each.referral_id for each in referrals if is_self(each, sharing)}
    counts: dict[int, dict[facts.Counter, int]] = {}
    for each in referrals:
        if each.state is ReferralState.MATURED:
            _count(counts.setdefault(each.advocate_member_id, {}), each, sign=1)
    changed: list[StoredReferral] = []
    for each in sorted((each for each in referrals if each.advocate_member_id in advocates), key=_order):
        own = counts.setdefault(each.advocate_member_id, {})
        if each.state is ReferralState.MATURED:
            _count(own, each, sign=-1)
        after = _decide(
            programme,
            each,
            purchases=bought.get(each.friend_member_id, ()),
            is_self=each.referral_id in selves,
            is_first=_is_first(each, referrals, selves),
            counts=own,
            today=today,
        )
        if after.state is ReferralState.MATURED:
            _count(own, after, sign=1)
        if after != each:
            changed.append(after)
    return changed


def is_self(referral: StoredReferral, sharing: Collection[tuple[UUID, UUID]]) -> bool:
    """True when advocate and friend are one person."""
    return referral.advocate_member_id == referral.friend_member_id or referral.pair in sharing


def _order(each: StoredReferral) -> tuple[bool, date, datetime, int]:
    is_given = each.state is ReferralState.MATURED
    return not is_given, (each.matures_on or date.max) if is_given else date.max, each.referred_at, each.referral_id


def _is_first(referral: StoredReferral, referrals: Sequence[StoredReferral], selves: Collection[int]) -> bool:
    return not any(
        each.friend_member_id == referral.friend_member_id
        and each.referral_id not in selves
        and (each.referred_at, each.referral_id) < (referral.referred_at, referral.referral_id)
        for each in referrals
    )


def _count(counts: dict[facts.Counter, int], referral: StoredReferral, *, sign: int) -> None:
    for counter, period, amount in referral.counted:
        counts[counter, period] = counts.get((counter, period), 0) + sign * amount


def _decide(
    programme: Programme,
    referral: StoredReferral,
    *,
    purchases: Sequence[PurchaseState],
    is_self: bool,
    is_first: bool,
    counts: facts.Counts,
    today: date,
) -> StoredReferral:
    versions = list_versions(programme)
    zone = versions[-1].rules.zone
    referred_on = to_business_day(referral.referred_at, zone)
    spec = pick_version(versions, referred_on).spec
    if spec.referral is None:
        refused = {"state": ReferralState.REFUSED, "reason": ReferralReason.NOT_OFFERED, "due_on": None}
        return replace(referral, **refused, advocate_points=0, friend_points=0, counted=[], matures_on=None)
    usable = [
        each
        for each in purchases
        if not each.is_cancelled
        and 0 < each.amount_minor <= facts.AMOUNT_MAX
        and each.currency == spec.currency
        and (not spec.brands or (each.details or {}).get("brand") in spec.brands)
    ]
    decision = decide_referral(
        spec.referral,
        Referral(
            referral_id=str(referral.referral_id),
            referred_on=referred_on,
            is_same_person=is_self,
            is_first_referral=is_first,
            had_purchases=any(each.occurred_at < referral.referred_at for each in usable),
        ),
        [replace(told, returned_minor=find_returned(told, spec.returns, zone)) for told in map(to_facts, usable)],
        zone=zone,
        today=today,
        advocate_counts=counts,
    )
    last_day = add_days(referred_on, spec.referral.purchase_within_days)
    return _restate(referral, decision, is_open_until=last_day)


def _restate(referral: StoredReferral, decision: ReferralDecision, *, is_open_until: date) -> StoredReferral:
    due_on = None
    if decision.state is ReferralState.PENDING:
        due_on = decision.matures_on
    elif decision.state is ReferralState.WAITING:
        due_on = add_days(is_open_until, 1)
    return replace(
        referral,
        state=decision.state,
        reason=decision.reason,
        advocate_points=decision.advocate_points,
        friend_points=decision.friend_points,
        decided_by=None if decision.decided_by is None else int(decision.decided_by),
        matures_on=decision.matures_on,
        due_on=due_on,
        counted=[(*each.counter, each.amount) for each in decision.counts],
        inputs={
            name: value.isoformat() if isinstance(value, date) else value for name, value in decision.inputs.items()
        },
    )


def plan_restored(gifts: Sequence[Gift], missing: int) -> tuple[list[Gift], int]:
    """Count what could not be taken back earlier first; return the gifts that change, and what is missing still."""
    found: list[Gift] = []
    for each in gifts:
        part = min(each.kept, missing)
        missing -= part
        if part:
            found.append(replace(each, points=each.points + part, kept=each.kept - part))
    return found, missing


def plan_taken(gifts: Sequence[Gift], surplus: int) -> list[tuple[Gift, int]]:
    """Say how much of which gift is to be taken back, the latest first."""
    found: list[tuple[Gift, int]] = []
    for each in reversed(gifts):
        part = min(surplus, each.points)
        surplus -= part
        if part:
            found.append((each, part))
    return found
