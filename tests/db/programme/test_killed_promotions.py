"""`kill -9` between any two statements of what is done with vouchers and referrals; see test_killed."""

from datetime import timedelta
from typing import ClassVar
from uuid import UUID, uuid5

import msgspec
import pytest

from comity.activity import api as activity
from comity.activity.types import PURCHASE_CHANGED, PURCHASE_RECORDED, PurchaseFact, ReturnFact
from comity.definitions.types import ProgrammeSpec
from comity.kernel.events import Event
from comity.kernel.ids import SeededIds
from comity.programme import api
from comity.programme import store as programme_store
from comity.programme.promotions import ReferralWish
from comity.programme.types import Programme
from comity.programme.vouchers import RewardWish, VoucherTold, VoucherVerb, VoucherWish
from tests.db.programme.test_killed import NOW, World, sweep

SPEC = {
    "title": "Club", "currency": "EUR", "earning": {"points_per_unit": 1, "unit_minor": 100},
    "returns": {"policy": "allow_negative"},
    "rewards": [
        {
            "name": "coffee", "title": "A coffee", "price": 30, "stock": 3, "caps": [{"per": "day", "times": 3}],
            "voucher": {"minor": 250, "valid": {"days": 10}},
        },
    ],
    "referral": {"advocate_points": 50, "friend_points": 20, "matures_days": 5},
}  # fmt: skip


def nobody_shares(_tx, _pairs):
    return set()


class Counter(World):
    """Members with points, who have coffees and bring friends."""

    count = 2
    verbs: ClassVar[dict[str, list[str]]] = {
        "issue": [],
        "use": ["issue"],
        "cancel": ["issue"],
        "give_back": ["issue", "use"],
        "run_out": ["issue"],
        "merge": ["issue"],
        "part": ["issue", "merge", "issue_together"],
        "refer": [],
        "buy": ["refer"],
        "mature": ["refer", "buy"],
        "claw_back": ["refer", "buy", "mature"],
    }

    def __init__(self, tx, name):
        self.name = name
        self.club = Programme(name=name, spec=msgspec.convert(SPEC, ProgrammeSpec))
        self.people = [uuid5(UUID(int=0), f"{name}{number}") for number in range(self.count)]
        self.ids = SeededIds(self.people[0].int)
        self.seen = tx.execute("select coalesce(max(event_id), 0) from kernel.event").fetchone()[0]
        for number, person in enumerate(self.people):
            tx.execute("insert into identity.profile values (%s, %s, null, now())", [person, number + 1])
            api.enrol(tx, profile_ids=[person], programme=self.club, now=NOW)
        self.programme = programme_store.find_programme(tx, programme=name).account_id
        for person in self.people:
            account = api.get_member(tx, profile_id=person, programme=name).account_id
            self.post(tx, f"a{account}", self.programme, account, 70, days=30)

    def have(self, tx, *wishes):
        wanted = [
            RewardWish(profile_id=person, programme=self.name, reward="coffee", idempotency_key=f"{self.name}-{key}")
            for person, key in wishes
        ]
        return api.issue_rewards(
            tx, wishes=wanted, programmes={self.name: self.club}, attributes={}, ids=self.ids, now=NOW
        )

    def ask(self, tx, *wishes):
        told = self.have(tx, *wishes)
        assert all(isinstance(each, VoucherTold) for each in told), told
        return told

    def issue(self, tx):
        ada, bob = self.people[:2]
        self.codes = [each.voucher.code for each in self.ask(tx, (ada, "w1"), (bob, "w2"))]

    def issue_together(self, tx):
        self.ask(tx, (self.people[0], "w3"))

    def wish(self, key):
        return [VoucherWish(code=self.codes[0], idempotency_key=f"{self.name}-{key}")]

    def use(self, tx):
        [told] = api.use_vouchers(tx, wishes=self.wish("use"), now=NOW)
        assert isinstance(told, VoucherTold), told

    def cancel(self, tx, verb=VoucherVerb.CANCEL):
        wishes = self.wish("end")
        [told] = api.end_vouchers(tx, wishes=wishes, verb=verb, programmes={self.name: self.club}, now=NOW)
        assert isinstance(told, VoucherTold), told

    def give_back(self, tx):
        self.cancel(tx, VoucherVerb.RETURN)

    def run_out(self, tx):
        api.expire_vouchers(tx, programme=self.club, now=NOW + timedelta(days=20))

    def refer(self, tx, advocate=0, key="refer"):
        wish = ReferralWish(
            profile_id=self.people[advocate], friend_profile_id=self.people[1], programme=self.name, referred_at=NOW,
            idempotency_key=f"{self.name}-{key}", told_by="web",
        )  # fmt: skip
        return api.refer(tx, wish=wish, programme=self.club, shares=nobody_shares, now=NOW)

    def buy(self, tx):
        fact = PurchaseFact(
            system="till", stream="order", external_id=self.name, business_key=f"R-{self.name}", occurred_at=NOW,
            amount_minor=1_000, currency="EUR",
        )  # fmt: skip
        activity.accept_purchases(tx, purchases=[fact], profile_ids=self.people[1:2], now=NOW)
        self.hear(tx, NOW)

    def mature(self, tx):
        api.mature_referrals(tx, programme=self.club, shares=nobody_shares, now=NOW + timedelta(days=6))

    def claw_back(self, tx):
        now = NOW + timedelta(days=7)
        fact = ReturnFact(
            system="till", stream="refund", external_id=self.name, business_key=f"B-{self.name}",
            purchase_key=f"R-{self.name}", occurred_at=now, amount_minor=1_000, currency="EUR",
        )  # fmt: skip
        activity.accept_returns(tx, returns=[fact], now=now)
        self.hear(tx, now)

    def hear(self, tx, now):
        """What the reader does with all that was told of purchases, from the first on."""
        rows = tx.execute(
            "select event_id, kind, payload, occurred_at from kernel.event where event_id > %s and kind = any(%s) "
            "and payload ->> 'profile_id' = %s order by event_id",
            [self.seen, [PURCHASE_RECORDED, PURCHASE_CHANGED], str(self.people[1])],
        ).fetchall()
        events = [Event(event_id=row[0], xid=0, kind=row[1], payload=row[2], occurred_at=row[3]) for row in rows]
        api.handle_events(tx, events=events, programmes=[self.club], now=now, shares=nobody_shares)

    def picture(self, tx):
        return (*super().picture(tx), *self.promotions(tx))

    def promotions(self, tx):
        """Vouchers, stock, caps, referrals with their gifts, and how often each thing was told."""
        wanted = (
            """
            select regexp_replace(idempotency_key, '^[^-]*-', ''), state, points, used_at, ended_at is null,
                   dense_rank() over (order by member_id), used_key is null, ended_key is null
            from programme.voucher where programme = %s order by 1
            """,
            "select reward, issued_count from programme.reward_stock where programme = %s",
            """
            select dense_rank() over (order by member_id), counter, period, amount
            from programme.counter join programme.member using (member_id) where programme = %s order by 1, 2, 3
            """,
            """
            select regexp_replace(r.idempotency_key, '^[^-]*-', ''), r.state, r.reason, r.advocate_points,
                   r.friend_points, r.due_on, g.side, g.gift_number, g.points, g.kept, g.take_count
            from programme.referral r left join programme.referral_gift g using (referral_id)
            where r.programme = %s order by 1, g.side, g.gift_number
            """,
            "select kind, count(*) from kernel.event where payload ->> 'programme' = %s group by 1 order by 1",
        )
        return [tx.execute(each, [self.name]).fetchall() for each in wanted]


@pytest.mark.parametrize("verb", ["issue", "cancel", "mature", "claw_back"])
def test_killed_here_and_there_no_voucher_or_gift_is_stuck_or_lost(database, monkeypatch, verb):
    sweep(database, verb, monkeypatch, stride=9, kind=Counter)


@pytest.mark.soak
@pytest.mark.parametrize("verb", Counter.verbs)
def test_killed_between_any_two_statements_no_voucher_or_gift_is_stuck_or_lost(database, monkeypatch, verb):
    sweep(database, verb, monkeypatch, stride=1, kind=Counter)
