"""Referrals, rewards, transfers, pools and adjustments: what is allowed, and what stands against it."""

from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.definitions.types import (
    AdjustmentSpec,
    Cap,
    CapPeriod,
    PoolSpec,
    ReferralSpec,
    RewardSpec,
    Span,
    TransferSpec,
    VoucherSpec,
)
from comity.programme.engine.facts import Purchase
from comity.programme.engine.limits import (
    Refusal,
    decide_adjustment,
    decide_pooling,
    decide_reward,
    decide_transfer,
    split_contribution,
)
from comity.programme.engine.referring import (
    Referral,
    ReferralReason,
    ReferralState,
    decide_referral,
)

ON = date(2026, 6, 5)
UTC_ZONE = ZoneInfo("UTC")
SPEC = ReferralSpec(
    advocate_points=500,
    friend_points=250,
    purchase_min_minor=2_000,
    purchase_within_days=60,
    matures_days=30,
    caps=(Cap(per=CapPeriod.YEAR, times=2),),
)
REFERRAL = Referral(referral_id="r", referred_on=date(2026, 1, 10))


def bought(day, amount_minor, returned=0):
    moment = datetime(2026, 1, 10, 12, tzinfo=UTC) + timedelta(days=day)
    return Purchase(
        purchase_id=f"p{day}",
        occurred_at=moment,
        amount_minor=amount_minor,
        currency="EUR",
        returned_minor={"": returned},
    )


def decide(purchases=(), *, referral=REFERRAL, today=date(2026, 1, 20), counts=None):
    return decide_referral(SPEC, referral, purchases, zone=UTC_ZONE, today=today, advocate_counts=counts or {})


class TestReferral:
    @pytest.mark.parametrize(
        ("purchases", "today", "state", "reason"),
        [
            ([], "2026-01-20", "waiting", "no_purchase"),
            ([], "2026-03-11", "waiting", "no_purchase"),
            ([], "2026-03-12", "refused", "no_purchase_in_time"),
            ([bought(1, 1_999)], "2026-01-20", "waiting", "purchase_too_small"),
            ([bought(1, 1_999)], "2026-03-12", "refused", "purchase_too_small"),
            ([bought(61, 2_000)], "2026-04-20", "refused", "no_purchase_in_time"),
            ([bought(1, 2_000)], "2026-02-09", "pending", "can_be_returned"),
            ([bought(1, 2_000)], "2026-02-10", "matured", "complete"),
            ([bought(1, 2_000, 1)], "2026-02-10", "waiting", "purchase_too_small"),
            ([bought(1, 2_000, 1), bought(5, 2_000)], "2026-02-10", "pending", "can_be_returned"),
        ],
    )
    def test_follows_the_friends_purchases(self, purchases, today, state, reason):
        found = decide(purchases, today=date.fromisoformat(today))
        assert (found.state, found.reason) == (state, reason)
        assert (found.advocate_points == 500) == (state in {"pending", "matured"})

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"is_same_person": True}, ReferralReason.SAME_PERSON),
            ({"is_first_referral": False}, ReferralReason.ALREADY_REFERRED),
            ({"had_purchases": True}, ReferralReason.FRIEND_WAS_CUSTOMER),
        ],
    )
    def test_is_refused(self, changes, reason):
        found = decide([bought(1, 9_000)], referral=msgspec.structs.replace(REFERRAL, **changes))
        assert (found.state, found.reason, found.advocate_points) == (ReferralState.REFUSED, reason, 0)

    def test_a_cap_of_the_advocate_counts_in_the_year_it_matures(self):
        purchases, today = [bought(1, 2_000)], date(2026, 3, 1)
        assert decide(purchases, today=today, counts={("referral.times.year", "2025"): 2}).state == "matured"
        found = decide(purchases, today=today, counts={("referral.times.year", "2026"): 2})
        assert (found.state, found.reason, found.advocate_points) == ("refused", "cap_reached", 0)

    def test_gives_nothing_any_more_when_the_purchase_comes_back(self):
        assert decide([bought(1, 2_000)], today=date(2026, 3, 1)).advocate_points == 500
        found = decide([bought(1, 2_000, 2_000)], today=date(2026, 5, 1))
        assert (found.state, found.advocate_points, found.friend_points) == ("refused", 0, 0)

    def test_the_order_of_purchases_changes_nothing(self):
        purchases = [bought(1, 1_000), bought(2, 3_000, 500), bought(3, 9_000)]
        found = {decide(each, today=date(2026, 3, 1)).decided_by for each in permutations(purchases)}
        assert found == {"p2"}


class TestReward:
    SPEC = RewardSpec(
        name="voucher",
        title="10 euros",
        price=100,
        stock=5,
        tiers=("Gold",),
        caps=(Cap(per=CapPeriod.DAY, times=1),),
        first_day=date(2026, 6, 1),
        last_day=date(2026, 6, 30),
        voucher=VoucherSpec(minor=1000, valid=Span(months=6)),
        when="country = 'DE'",
    )

    def decide(self, **changes):
        facts = {"on": ON, "balance": 100, "levels": ["Gold"], "counts": {}, "issued_count": 4}
        return decide_reward(self.SPEC, **(facts | changes))

    def test_is_granted(self):
        found = self.decide()
        assert (found.points, found.expires_on) == (100, date(2026, 12, 5))
        assert [each.counter for each in found.counts] == [("reward.voucher.times.day", "2026-06-05")]

    @pytest.mark.parametrize(
        ("changes", "refusal"),
        [
            ({"on": date(2026, 5, 31)}, Refusal.NOT_YET),
            ({"on": date(2026, 7, 1)}, Refusal.NO_LONGER),
            ({"levels": ["Blue", None]}, Refusal.TIER_TOO_LOW),
            ({"is_condition_met": False}, Refusal.CONDITION_FAILED),
            ({"issued_count": 5}, Refusal.OUT_OF_STOCK),
            ({"counts": {("reward.voucher.times.day", "2026-06-05"): 1}}, Refusal.CAP_REACHED),
            ({"balance": 99}, Refusal.INSUFFICIENT_POINTS),
        ],
    )
    def test_is_refused(self, changes, refusal):
        found = self.decide(**changes)
        assert (found.refusal, found.points, found.counts) == (refusal, 0, ())
        assert found.inputs


class TestTransfer:
    SPEC = TransferSpec(points_min=10, points_max=100, caps=(Cap(per=CapPeriod.MONTH, points=150),), tiers=("Gold",))

    @pytest.mark.parametrize(
        ("points", "changes", "refusal"),
        [
            (50, {}, None),
            (0, {}, Refusal.NOT_POSITIVE),
            (-5, {}, Refusal.NOT_POSITIVE),
            (9, {}, Refusal.TOO_LITTLE),
            (101, {}, Refusal.TOO_MUCH),
            (50, {"is_same_member": True}, Refusal.SAME_MEMBER),
            (50, {"levels": []}, Refusal.TIER_TOO_LOW),
            (50, {"balance": 49}, Refusal.INSUFFICIENT_POINTS),
            (51, {"counts": {("transfer.points.month", "2026-06"): 100}}, Refusal.CAP_REACHED),
        ],
    )
    def test_is_decided(self, points, changes, refusal):
        facts = {"on": ON, "balance": 100, "levels": ["Gold"], "counts": {}, "is_same_member": False}
        found = decide_transfer(self.SPEC, points, **(facts | changes))
        assert (found.refusal, found.points) == (refusal, 0 if refusal else points)


class TestPool:
    def test_has_a_limit_of_members_and_of_pools(self):
        spec = PoolSpec(members_max=3, pools_max=1)
        assert decide_pooling(spec, member_count=2, pool_count=0).is_granted
        assert decide_pooling(spec, member_count=3, pool_count=0).refusal is Refusal.POOL_FULL
        assert decide_pooling(spec, member_count=2, pool_count=1).refusal is Refusal.TOO_MANY_POOLS

    @given(st.integers(0, 10**6), st.integers(1, 100))
    def test_a_contribution_loses_nothing(self, points, percent):
        pooled, kept = split_contribution(PoolSpec(contribution_percent=percent), points)
        assert pooled + kept == points
        assert 0 <= pooled <= points


class TestAdjustment:
    SPEC = AdjustmentSpec(checker_above=100, points_max=1_000, maker_max=500)

    @pytest.mark.parametrize(
        ("points", "checker", "used", "refusal"),
        [
            (100, None, 0, None),
            (-100, None, 0, None),
            (101, None, 0, Refusal.NEEDS_CHECKER),
            (-101, None, 0, Refusal.NEEDS_CHECKER),
            (101, "ben", 0, None),
            (101, "ann", 0, Refusal.CHECKER_IS_MAKER),
            (1_001, "ben", 0, Refusal.TOO_MUCH),
            (0, None, 0, Refusal.NOT_POSITIVE),
            (100, None, 401, Refusal.CAP_REACHED),
            (-100, None, 400, None),
        ],
    )
    def test_takes_two_above_a_limit(self, points, checker, used, refusal):
        counts = {("adjustment.points.day", "2026-06-05"): used}
        found = decide_adjustment(self.SPEC, points, maker="ann", checker=checker, on=ON, counts=counts)
        assert (found.refusal, found.points) == (refusal, 0 if refusal else points)
        assert sum(each.amount for each in found.counts) == (0 if refusal else abs(points))
