"""What purchases have earned follows them: returned, corrected, cancelled, late."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from comity.activity import api as activity
from comity.activity.types import PURCHASE_CHANGED, PurchaseFact, ReturnFact
from comity.definitions.types import ProgrammeSpec
from comity.kernel.events import Event
from comity.ledger import api as ledger
from comity.ledger.types import Reversal
from comity.programme import api
from comity.programme.simulating_types import History, Trial
from comity.programme.types import POINTS_EARNED, POINTS_TAKEN_BACK, EarnOutcome, Former, Programme
from tests.db.programme.test_api import ADA, check_books, published

BOUGHT = datetime(2026, 3, 1, 10, tzinfo=UTC)
BASE = {"name": "base", "rate": {"points": 1, "per_minor": 100}}
GOLD = {"name": "gold", "multiplier_percent": 200, "tiers": ["Gold"]}
TIERS = {"window_days": 365, "levels": [{"name": "Blue", "from": 0}, {"name": "Gold", "from": 100}]}


def club(*rules, **changes):
    spec = {"title": "Club", "currency": "EUR", "earning_rules": rules or [BASE], "tiers": TIERS, **changes}
    return Programme(name="club", spec=msgspec.convert(spec, ProgrammeSpec))


class Till:
    """Tells the hub of purchases and returns, and lets the programme hear of them."""

    def __init__(self, tx, programme):
        self.tx, self.programme, self.seen = tx, programme, 0
        api.enrol(tx, profile_ids=[ADA], programme=programme, now=BOUGHT)

    def sell(self, number, amount, *, days=0, system="till", now=BOUGHT, **changes):
        fact = PurchaseFact(
            system=system, stream="order", external_id=f"{system}-{number}", business_key=f"R-{number}",
            occurred_at=BOUGHT + timedelta(days=days), amount_minor=amount, currency="EUR", **changes,
        )  # fmt: skip
        activity.accept_purchases(self.tx, purchases=[fact], profile_ids=[ADA], now=now)
        self.listen(now)

    def take_back(self, number, amount, *, name="a", system="till", now=BOUGHT):
        fact = ReturnFact(
            system=system, stream="refund", external_id=f"{system}-{number}{name}", business_key=f"B-{number}{name}",
            purchase_key=f"R-{number}", occurred_at=now, amount_minor=amount, currency="EUR",
        )  # fmt: skip
        activity.accept_returns(self.tx, returns=[fact], now=now)
        self.listen(now)

    def listen(self, now):
        rows = self.tx.execute(
            "select event_id, kind, payload, occurred_at from kernel.event where event_id > %s order by 1", (self.seen,)
        ).fetchall()
        events = [Event(event_id=row[0], xid=0, kind=row[1], payload=row[2], occurred_at=row[3]) for row in rows]
        for _ in range(2):
            api.handle_events(self.tx, events=events, programmes=[self.programme], now=now)
        self.seen = max((each.event_id for each in events), default=self.seen)
        check_books(self.tx)

    def spend(self, points, now=BOUGHT):
        api.redeem(self.tx, profile_id=ADA, programme="club", points=points, idempotency_key=f"{points}-{now}", now=now)

    @property
    def member(self):
        return api.get_member(self.tx, profile_id=ADA, programme="club")

    def outcome(self, number):
        [row] = self.tx.execute(
            "select purchase_id from activity.purchase where business_key = %s", (f"R-{number}",)
        ).fetchall()
        [earned] = api.find_earnings(self.tx, purchase_id=row[0])
        return earned.points, earned.outcome


@pytest.fixture
def till(tx):
    return lambda programme: Till(tx, programme)


class TestReturns:
    def test_parts_add_up_to_the_whole_and_the_tier_follows(self, tx, till):
        shop = till(club())
        shop.sell(1, 10_050)
        assert (shop.member.points, shop.member.tier) == (100, "Gold")
        shop.take_back(1, 3_350)
        assert (shop.member.points, shop.member.qualifying_points, shop.member.tier) == (67, 67, "Blue")
        shop.take_back(1, 6_700, name="b")
        assert (shop.member.points, shop.outcome(1)) == (0, (0, EarnOutcome.RETURNED))
        assert [(each["points"], each["balance"]) for each in published(tx, POINTS_TAKEN_BACK)] == [(33, 67), (67, 0)]

    def test_one_return_told_by_two_systems_counts_once(self, tx, till):
        shop = till(club())
        shop.sell(1, 10_000)
        shop.take_back(1, 4_000)
        shop.take_back(1, 4_000, system="crm")
        assert shop.member.points == 60
        assert len(published(tx, PURCHASE_CHANGED)) == 1

    def test_a_return_may_come_before_its_purchase_and_may_be_corrected(self, till):
        shop = till(club())
        shop.take_back(1, 4_000)
        shop.sell(1, 10_000)
        assert shop.member.points == 60
        shop.take_back(1, 2_000)
        assert shop.member.points == 80
        shop.take_back(1, 0)
        assert shop.member.points == 100
        shop.take_back(1, 99_000)
        assert shop.member.points == 0

    @pytest.mark.parametrize(
        ("policy", "left", "shortfall", "again"),
        [("within_balance", 0, 70, 30), ("allow_negative", -70, 0, 30), ("only_pending", 30, 100, 30)],
    )
    def test_what_is_spent_goes_by_the_policy(self, tx, till, policy, left, shortfall, again):
        shop = till(club(returns={"policy": policy}))
        shop.sell(1, 10_000)
        shop.spend(70)
        shop.take_back(1, 10_000)
        assert shop.member.points == left
        assert [each["shortfall"] for each in published(tx, POINTS_TAKEN_BACK)] == [shortfall]
        shop.take_back(1, 0)
        assert shop.member.points == again  # What was let go is not given twice.

    def test_what_comes_back_after_the_window_can_be_kept(self, tx, till):
        spec = {"policy": "allow_negative", "window_days": 10, "late": "keep"}
        shop = till(club(returns=spec, timezone="Europe/Berlin"))
        shop.sell(1, 10_000)
        in_time = BOUGHT + timedelta(days=10, hours=12)  # 23:00 of the last day, where the programme lives.
        shop.take_back(1, 3_000, name="late", now=in_time + timedelta(hours=1))
        assert shop.member.points == 100
        shop.take_back(1, 2_000, now=in_time)
        assert shop.member.points == 80
        shop.take_back(1, 3_000, name="late", now=in_time)
        assert shop.member.points == 50
        trial = Trial(programme="club", running=club().spec, proposed=shop.programme.spec, on=in_time.date())
        shop.take_back(1, 9_000, name="c", now=in_time + timedelta(days=300))
        told = api.simulate(tx, trial=trial, history=History(programme="club", until=trial.until))
        assert (told.running.points_issued, told.proposed.points_issued, shop.member.points) == (0, 50, 50)

    def test_pending_points_are_what_a_return_takes(self, till):
        shop = till(club(BASE, points=[{"name": "club", "pending": {"days": 14}}], returns={"policy": "only_pending"}))
        shop.sell(1, 10_000)
        shop.sell(2, 5_000, days=-30)
        shop.take_back(1, 10_000)
        shop.take_back(2, 5_000)
        assert (shop.member.points, shop.member.pending) == (50, 0)

    def test_points_taken_back_by_hand_are_not_taken_again(self, tx, till):
        shop = till(club())
        shop.sell(1, 10_000)
        [line] = ledger.list_entries(tx, account_id=shop.member.account_id)
        wish = {"idempotency_key": "h", "reason": "", "system": "desk", "external_id": "1", "amount": 90}
        reversal = Reversal(transfer_id=line.transfer_id, effective_on=BOUGHT.date(), **wish)
        ledger.reverse(tx, reversals=[reversal], now=BOUGHT)
        shop.take_back(1, 10_000)
        assert shop.member.points == 0


class TestCorrections:
    def test_the_first_report_corrects_and_cancels(self, tx, till):
        shop = till(club())
        shop.sell(1, 10_000)
        shop.sell(1, 25_000, system="crm")
        assert shop.member.points == 100
        shop.sell(1, 12_000)
        assert shop.member.points == 120
        shop.sell(1, 12_000, is_cancelled=True)
        assert (shop.member.points, shop.outcome(1)) == (0, (0, EarnOutcome.CANCELLED))
        shop.sell(1, 11_000)
        assert (shop.member.points, shop.outcome(1)) == (110, (110, EarnOutcome.EARNED))
        assert sum(each["points"] for each in published(tx, POINTS_EARNED)) == 120 + 110

    def test_what_is_cancelled_from_the_start_earns_nothing(self, till):
        shop = till(club())
        shop.sell(1, 10_000, is_cancelled=True)
        assert (shop.member.points, shop.outcome(1)) == (0, (0, EarnOutcome.CANCELLED))

    @pytest.mark.parametrize(("policy", "points"), [("re_derive", 250), ("adjust_forward", 200)])
    def test_a_late_purchase_goes_by_the_policy(self, till, policy, points):
        shop = till(club(BASE, GOLD, corrections=policy))
        shop.sell(1, 5_000, days=2, now=BOUGHT + timedelta(days=2))
        shop.sell(2, 15_000, days=-10, now=BOUGHT + timedelta(days=2))
        assert shop.member.points == points

    def test_what_was_earned_in_a_closed_period_stays(self, tx, till):
        shop = till(club(BASE, GOLD, corrections="freeze_closed_period"))
        shop.sell(1, 5_000, days=2, now=BOUGHT + timedelta(days=2))
        through = (BOUGHT + timedelta(days=4)).date()
        ledger.lock_period(tx, unit="club", through=through, by="ada", reason="month", now=BOUGHT + timedelta(days=6))
        shop.sell(2, 15_000, days=-10)
        assert shop.member.points == 200
        shop.sell(3, 1_000, days=9, now=BOUGHT + timedelta(days=9))
        assert shop.member.points == 220

    def test_rules_of_the_day_count_whatever_the_programme_says_now(self, till):
        first = club()
        shop = till(first)
        shop.sell(1, 10_000)
        again = club({**BASE, "rate": {"points": 3, "per_minor": 100}})
        past = (Former(first_day=BOUGHT.date(), spec=first.spec, version=1),)
        next_day = (BOUGHT + timedelta(days=1)).date()
        shop.programme = msgspec.structs.replace(again, version=2, first_day=next_day, past=past)
        shop.take_back(1, 5_000)
        assert shop.member.points == 50
        shop.sell(2, 1_000, days=-1)
        shop.sell(3, 1_000, days=1, now=BOUGHT + timedelta(days=1))
        assert shop.member.points == 50 + 10 + 30
