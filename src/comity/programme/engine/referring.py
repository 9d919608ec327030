"""Referrals: who brings a friend earns once the friend's purchase can no longer be returned.

A referral is decided anew from its facts whenever one of them changes, so a return before maturity simply leaves
nothing to mature, and a return after it takes back what was given. That advocate and friend are one person is what the
identity graph says; it is a fact here.
"""

import enum
from collections.abc import Sequence
from datetime import date
from zoneinfo import ZoneInfo

import msgspec

from comity.definitions.types import CapPeriod, ReferralSpec
from comity.programme.engine.days import add_days, name_period, to_business_day
from comity.programme.engine.facts import Count, Counts, Inputs, Purchase


class ReferralState(enum.StrEnum):
    """Where a referral stands."""

    WAITING = "waiting"
    PENDING = "pending"
    MATURED = "matured"
    REFUSED = "refused"


class ReferralReason(enum.StrEnum):
    """Why a referral stands where it does."""

    NO_PURCHASE = "no_purchase"
    NO_PURCHASE_IN_TIME = "no_purchase_in_time"
    PURCHASE_TOO_SMALL = "purchase_too_small"
    SAME_PERSON = "same_person"
    FRIEND_WAS_CUSTOMER = "friend_was_customer"
    ALREADY_REFERRED = "already_referred"
    CAP_REACHED = "cap_reached"
    NOT_OFFERED = "not_offered"
    CAN_BE_RETURNED = "can_be_returned"
    COMPLETE = "complete"


class Referral(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of one referral.

    `is_same_person`: advocate and friend share identifiers, or are one profile by now. `is_first_referral`: nobody
    referred this friend earlier. `had_purchases`: the friend bought before being referred.
    """

    referral_id: str
    referred_on: date
    is_same_person: bool = False
    is_first_referral: bool = True
    had_purchases: bool = False


class ReferralDecision(msgspec.Struct, frozen=True, kw_only=True):
    """What a referral gives now; points are given when `matured`, planned when `pending`.

    `decided_by` is the purchase it hangs on, `matures_on` the first day that purchase cannot be returned. `counts` are
    to be added to the advocate's counters when it matures.
    """

    referral_id: str
    state: ReferralState
    reason: ReferralReason
    advocate_points: int = 0
    friend_points: int = 0
    decided_by: str | None = None
    matures_on: date | None = None
    counts: tuple[Count, ...] = ()
    inputs: Inputs = {}


def decide_referral(
    spec: ReferralSpec,
    referral: Referral,
    purchases: Sequence[Purchase],
    *,
    zone: ZoneInfo,
    today: date,
    advocate_counts: Counts,
) -> ReferralDecision:
    """Decide a referral by all purchases of the friend as they are known now, in any order.

    The first purchase after the referral that keeps enough after returns decides. `advocate_counts` are the counters of
    the advocate's matured referrals without this one; caps count on the day a referral matures.
    """
    refused = _find_refusal(referral)
    last_day = add_days(referral.referred_on, spec.purchase_within_days)
    kept = [] if refused else _keep_in_time(purchases, zone, referral.referred_on, last_day)
    enough = [each for each in kept if each[2] >= max(spec.purchase_min_minor, 1)]
    if refused or not enough:
        is_over = refused is not None or today > last_day
        missing = ReferralReason.NO_PURCHASE_IN_TIME if is_over else ReferralReason.NO_PURCHASE
        return ReferralDecision(
            referral_id=referral.referral_id,
            state=ReferralState.REFUSED if is_over else ReferralState.WAITING,
            reason=refused or (ReferralReason.PURCHASE_TOO_SMALL if kept else missing),
        )
    bought_on, purchase_id, kept_minor = enough[0]
    matures_on = add_days(bought_on, spec.matures_days)
    counts = _count(spec, advocate_counts, matures_on)
    is_mature = today >= matures_on
    decision = ReferralDecision(
        referral_id=referral.referral_id,
        state=ReferralState.MATURED if is_mature else ReferralState.PENDING,
        reason=ReferralReason.COMPLETE if is_mature else ReferralReason.CAN_BE_RETURNED,
        advocate_points=spec.advocate_points,
        friend_points=spec.friend_points,
        decided_by=purchase_id,
        matures_on=matures_on,
        counts=(counts or ()) if is_mature else (),
        inputs={"bought_on": bought_on, "kept_minor": kept_minor, "least_minor": spec.purchase_min_minor},
    )
    if counts is None:
        refusal = {"state": ReferralState.REFUSED, "reason": ReferralReason.CAP_REACHED}
        return msgspec.structs.replace(decision, advocate_points=0, friend_points=0, counts=(), **refusal)
    return decision


def _find_refusal(referral: Referral) -> ReferralReason | None:
    if referral.is_same_person:
        return ReferralReason.SAME_PERSON
    if not referral.is_first_referral:
        return ReferralReason.ALREADY_REFERRED
    return ReferralReason.FRIEND_WAS_CUSTOMER if referral.had_purchases else None


def _keep_in_time(
    purchases: Sequence[Purchase], zone: ZoneInfo, first_day: date, last_day: date
) -> list[tuple[date, str, int]]:
    """Return day, id and what is kept after returns of the purchases in time, first ones first."""
    found: list[tuple[date, str, int]] = []
    for each in sorted(purchases, key=lambda each: (each.occurred_at, each.purchase_id)):
        day = to_business_day(each.occurred_at, zone)
        if first_day <= day <= last_day and each.amount_minor > 0:
            found.append((day, each.purchase_id, each.amount_minor - sum(each.returned_minor.values())))
    return found


def _count(spec: ReferralSpec, counts: Counts, on: date) -> tuple[Count, ...] | None:
    """Return what the referral adds to the advocate's counters; None when a cap is reached."""
    added: list[Count] = []
    for cap in spec.caps:
        what, most, amount = (
            ("points", cap.points, spec.advocate_points) if cap.points is not None else ("times", cap.times or 0, 1)
        )
        counter = (f"referral.{what}.{cap.per}", name_period(on, cap.per))
        if counts.get(counter, 0) + amount > most and cap.per is not CapPeriod.PURCHASE:
            return None
        added.append(Count(counter=counter, amount=amount))
    return tuple(added)
