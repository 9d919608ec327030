"""The door of programmes."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from comity.kernel.database import Tx
from comity.ledger import api as ledger
from comity.programme import rules, store
from comity.programme.adjusting import adjust, confirm, get_adjustment, list_waiting_adjustments, reject
from comity.programme.budgets import list_states as list_budgets
from comity.programme.earning import earn_for_purchases
from comity.programme.engine.facts import Step
from comity.programme.engine.telling import tell_step
from comity.programme.engine.tiers import Standing
from comity.programme.enrolment import Chooser, enrol, open_programme
from comity.programme.explaining import explain_purchase
from comity.programme.giving import transfer
from comity.programme.holding import end_holds, hold_many
from comity.programme.jobs import (
    enrol_strangers,
    expire_points,
    lapse_points,
    recompute_tiers,
    release_points,
    time_out_holds,
)
from comity.programme.joining import Enrolment, EnrolmentRefused, join
from comity.programme.kinds import KindMoved, KindNotSpendable, UnknownKind
from comity.programme.merging import merge_members
from comity.programme.offering import list_rewards
from comity.programme.pool_shares import collect_in_pools
from comity.programme.pooling import (
    end_pool,
    get_pool,
    join_pool,
    leave_pool,
    list_pools,
    open_pool,
    redeem_from_pool,
)
from comity.programme.pools import (
    PoolChanged,
    PoolRedeemed,
    PoolRefused,
    PoolSpending,
    PoolView,
    PoolWish,
    UnknownPool,
)
from comity.programme.progress import (
    get_balance_on,
    get_points,
    get_progress,
    list_statement,
    quote_purchase,
    quote_redemption,
    show_today,
)
from comity.programme.promotions import BudgetState, Referral, ReferralNotOffered, ReferralWish, UnknownReferral
from comity.programme.purchases import (
    PurchaseInvalid,
    PurchaseOfAnother,
    PurchaseTold,
    PurchaseWish,
    ReturnRefused,
    ReturnTold,
    ReturnWish,
    UnknownPurchase,
)
from comity.programme.readers import handle_events
from comity.programme.recording import record_purchases
from comity.programme.recording_returns import record_returns
from comity.programme.redemption import redeem, redeem_many, tell_refusal
from comity.programme.referrals import Sharing, get_referral, list_referrals, refer
from comity.programme.referrals import mature as mature_referrals
from comity.programme.rewarding import issue_rewards
from comity.programme.running import find_awaited, find_ignored, say_programme
from comity.programme.settling import follow_purchases
from comity.programme.simulating_run import count_history, simulate, simulate_on_processes
from comity.programme.simulating_types import ExplainedEarning, Gain, History, Simulation, Trial
from comity.programme.strangers import tell_stranger, tell_undefined
from comity.programme.types import (
    Earned,
    InsufficientPoints,
    InvalidRedemption,
    KeyReused,
    Member,
    Programme,
    ProgrammeTotals,
    UnknownMember,
)
from comity.programme.visiting import VisitInvalid, VisitTold, VisitWish, record_visit
from comity.programme.voucher_ends import end_vouchers, expire_vouchers, list_vouchers, use_vouchers
from comity.programme.vouchers import (
    RewardOffer,
    RewardRefused,
    RewardWish,
    UnknownReward,
    UnknownVoucher,
    Voucher,
    VoucherEnded,
    VoucherNotUsed,
    VoucherTold,
    VoucherVerb,
    VoucherWish,
)
from comity.programme.warning import warn_of_expiry
from comity.programme.wishes import (
    Adjustment,
    AdjustmentState,
    AdjustmentWish,
    EndWish,
    Held,
    HoldEnded,
    HoldExceeded,
    HoldOverdue,
    HoldResolved,
    HoldWish,
    MemberPoints,
    ProgrammeNotDefined,
    PurchaseQuote,
    RedemptionQuote,
    Transferred,
    TransferWish,
    UnknownHold,
    WishInvalid,
)

__all__ = [
    "Adjustment",
    "AdjustmentState",
    "AdjustmentWish",
    "BudgetState",
    "Chooser",
    "EndWish",
    "Enrolment",
    "EnrolmentRefused",
    "ExplainedEarning",
    "Gain",
    "Held",
    "History",
    "HoldEnded",
    "HoldExceeded",
    "HoldOverdue",
    "HoldResolved",
    "HoldWish",
    "InsufficientPoints",
    "InvalidRedemption",
    "KeyReused",
    "KindMoved",
    "KindNotSpendable",
    "MemberPoints",
    "PoolChanged",
    "PoolRedeemed",
    "PoolRefused",
    "PoolSpending",
    "PoolView",
    "PoolWish",
    "ProgrammeNotDefined",
    "PurchaseInvalid",
    "PurchaseOfAnother",
    "PurchaseQuote",
    "PurchaseTold",
    "PurchaseWish",
    "RedemptionQuote",
    "Referral",
    "ReferralNotOffered",
    "ReferralWish",
    "ReturnRefused",
    "ReturnTold",
    "ReturnWish",
    "RewardOffer",
    "RewardRefused",
    "RewardWish",
    "Sharing",
    "Simulation",
    "Standing",
    "Step",
    "TransferWish",
    "Transferred",
    "Trial",
    "UnknownHold",
    "UnknownKind",
    "UnknownMember",
    "UnknownPool",
    "UnknownPurchase",
    "UnknownReferral",
    "UnknownReward",
    "UnknownVoucher",
    "VisitInvalid",
    "VisitTold",
    "VisitWish",
    "Voucher",
    "VoucherEnded",
    "VoucherNotUsed",
    "VoucherTold",
    "VoucherVerb",
    "VoucherWish",
    "WishInvalid",
    "adjust",
    "collect_in_pools",
    "confirm",
    "count_history",
    "earn_for_purchases",
    "end_holds",
    "end_pool",
    "end_vouchers",
    "enrol",
    "enrol_strangers",
    "expire_points",
    "expire_vouchers",
    "explain_purchase",
    "find_awaited",
    "find_earnings",
    "find_ignored",
    "find_members",
    "find_members_today",
    "follow_purchases",
    "get_adjustment",
    "get_balance_on",
    "get_member",
    "get_points",
    "get_pool",
    "get_progress",
    "get_referral",
    "handle_events",
    "hold_many",
    "issue_rewards",
    "join",
    "join_pool",
    "lapse_points",
    "leave_pool",
    "list_budgets",
    "list_pools",
    "list_referrals",
    "list_rewards",
    "list_statement",
    "list_vouchers",
    "list_waiting_adjustments",
    "mature_referrals",
    "merge_members",
    "open_pool",
    "open_programme",
    "quote_purchase",
    "quote_redemption",
    "recompute_tiers",
    "record_purchases",
    "record_returns",
    "record_visit",
    "redeem",
    "redeem_from_pool",
    "redeem_many",
    "refer",
    "reject",
    "release_points",
    "say_programme",
    "simulate",
    "simulate_on_processes",
    "sum_programmes",
    "tell_refusal",
    "tell_step",
    "tell_undefined",
    "time_out_holds",
    "transfer",
    "use_vouchers",
    "warn_of_expiry",
]


def find_members(tx: Tx, *, profile_ids: Sequence[UUID], programme: str | None = None) -> dict[UUID, list[Member]]:
    """Return the memberships of profiles, by the profile asked; a merged profile answers as its survivor."""
    found: dict[UUID, list[Member]] = {}
    for asked, member in store.list_members(tx, profile_ids=profile_ids, programme=programme):
        found.setdefault(asked, []).append(member)
    return found


def find_members_today(
    tx: Tx, *, profile_ids: Sequence[UUID], programmes: Sequence[Programme], now: datetime, programme: str | None = None
) -> dict[UUID, list[Member]]:
    """Return the same as of today: at its tiers and without what has expired, also before the hourly work has been."""
    found = store.list_members(tx, profile_ids=profile_ids, programme=programme)
    defined = {each.name: each for each in programmes}
    told: dict[UUID, list[Member]] = {}
    members = show_today(tx, [each for _, each in found], programmes=defined, now=now)
    for (asked, _), member in zip(found, members, strict=True):
        told.setdefault(asked, []).append(member)
    return told


def get_member(tx: Tx, *, profile_id: UUID, programme: str) -> Member:
    """Return one membership. Raises UnknownMember, ProgrammeNotDefined."""
    members = find_members(tx, profile_ids=[profile_id], programme=programme).get(profile_id)
    if not members:
        raise tell_stranger(tx, profile_id=profile_id, programme=programme)
    return members[0]


def find_earnings(tx: Tx, *, purchase_id: int) -> list[Earned]:
    """Return what a purchase earned in each programme, and why; empty when it earned nowhere (yet)."""
    return store.find_earnings(tx, purchase_id=purchase_id)


def sum_programmes(tx: Tx) -> ProgrammeTotals:
    """Return members, points they hold and the trial balance, from the entries alone; reads every entry."""
    return rules.sum_totals(ledger.trial_balance(tx), member_count=store.count_members(tx))
