"""Any history of rewards, their vouchers, merging and parting: as many as there are, each paid once, and whose it is.

The model knows no ledger and no database: who has asked for what, how far each voucher is, and what each has earned.
Whoever shares an account, shelf, caps and points are told from that.
"""

from collections import Counter
from datetime import timedelta

import msgspec
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from comity.activity.types import name_profile
from comity.definitions.types import ProgrammeSpec
from comity.kernel.ids import SeededIds
from comity.ledger import api as ledger
from comity.ledger import store
from comity.programme import api
from comity.programme.purchases import PurchaseWish
from comity.programme.types import InsufficientPoints, KeyReused, Programme
from comity.programme.vouchers import RewardRefused, RewardWish, VoucherEnded, VoucherNotUsed, VoucherVerb, VoucherWish
from comity.programme.wishes import TransferRefused, TransferWish
from tests.property.merging_people import PEOPLE, MergingPeople, people, profile, run, some

COFFEE, MUG = "coffee", "mug"
PRICES = {COFFEE: 30, MUG: 10}
STOCK, DAILY, EVER = 5, 2, 3
DAYS_VALID = 3
CLUB = Programme(
    name="club",
    spec=msgspec.convert(
        {
            "title": "Club", "currency": "EUR", "timezone": "Europe/Berlin",
            "earning": {"points_per_unit": 1, "unit_minor": 100}, "enrol": {"automatic": True}, "transfers": {},
            "rewards": [
                {
                    "name": COFFEE, "title": "A coffee", "price": 30, "stock": STOCK,
                    "caps": [{"per": "day", "times": DAILY}], "voucher": {"minor": 250, "valid": {"days": DAYS_VALID}},
                },
                {"name": MUG, "title": "A mug", "price": 10, "caps": [{"per": "ever", "points": EVER * 10}]},
            ],
        },
        ProgrammeSpec,
    ),
)  # fmt: skip
COUNTED = {"issued", "used", "expired"}


class Piece:
    """What the model knows of a voucher."""

    def __init__(self, person, reward, day, code):
        self.person, self.reward, self.day, self.code, self.state = person, reward, day, code, "issued"

    @property
    def last_day(self):
        return self.day + timedelta(days=DAYS_VALID - 1) if self.reward == COFFEE else None

    def is_over(self, today):
        return self.state == "issued" and self.last_day is not None and self.last_day < today


class Machine(MergingPeople):
    """What they ask for, and what becomes of it."""

    club = CLUB

    def __init__(self, tx):
        super().__init__(tx)
        self.ids = SeededIds(7)
        self.pieces = []
        self.net = Counter()
        self.said = []

    def cluster(self, person):
        return [each for each in PEOPLE if self.leader[each] == self.leader[person]]

    def taken(self, reward, people=PEOPLE, day=None):
        return sum(
            each.reward == reward and each.state in COUNTED and each.person in people and day in {None, each.day}
            for each in self.pieces
        )

    @rule(person=people, points=st.integers(10, 80))
    def earn(self, person, points):
        wish = PurchaseWish(
            person=name_profile(profile(person)), number=self.key(), occurred_at=self.now,
            amount_minor=points * 100, currency="EUR",
        )  # fmt: skip
        [_] = api.record_purchases(self.tx, wishes=[wish], programmes=[CLUB], now=self.now)
        self.net[person] += points

    @rule(person=people, reward=st.sampled_from([COFFEE, MUG]), count=st.integers(1, 2))
    def ask(self, person, reward, count):
        """So many in one batch."""
        wishes = [
            RewardWish(profile_id=profile(person), programme="club", reward=reward, idempotency_key=self.key())
            for _ in range(count)
        ]
        for wish, told in zip(wishes, self.issue(wishes), strict=True):
            expected = self.judge(person, reward)
            if expected is None:
                assert told.voucher.state == "issued" and not told.is_duplicate, told
                self.pieces.append(Piece(person, reward, self.today, told.voucher.code))
                self.net[person] -= PRICES[reward]
                assert [each.is_duplicate for each in self.issue([wish])] == [True]
            else:
                assert type(told) is expected, (told, expected)

    @rule(giver=people, receiver=people, points=st.integers(1, 40))
    def give(self, giver, receiver, points):
        """By the Global ID that the giver always had, to whoever stands for the receiver."""
        receiver = self.leader[receiver]
        wish = TransferWish(
            profile_id=profile(giver), to_profile_id=profile(receiver), programme="club", points=points,
            idempotency_key=self.key(),
        )  # fmt: skip
        try:
            api.transfer(self.tx, wish=wish, programme=CLUB, now=self.now)
        except (InsufficientPoints, TransferRefused):
            short = sum(self.net[each] for each in self.cluster(giver)) < points
            assert short or self.leader[giver] == self.leader[receiver]
            return
        self.net[giver] -= points
        self.net[receiver] += points

    def issue(self, wishes):
        return api.issue_rewards(
            self.tx, wishes=wishes, programmes={"club": CLUB}, attributes={}, ids=self.ids, now=self.now
        )

    def judge(self, person, reward):
        cluster = self.cluster(person)
        if reward == COFFEE and self.taken(COFFEE) >= STOCK:
            return RewardRefused
        most, day = (DAILY, self.today) if reward == COFFEE else (EVER, None)
        if self.taken(reward, cluster, day) >= most:
            return RewardRefused
        return InsufficientPoints if sum(self.net[each] for each in cluster) < PRICES[reward] else None

    @precondition(lambda self: self.pieces)
    @rule(which=some)
    def use(self, which):
        piece = self.pieces[which % len(self.pieces)]
        wish = VoucherWish(code=piece.code, idempotency_key=self.key())
        [told] = api.use_vouchers(self.tx, wishes=[wish], now=self.now)
        if piece.state == "issued" and not piece.is_over(self.today):
            assert told.voucher.state == "used"
            piece.state = "used"
            self.said.append((None, wish))
        else:
            assert type(told) is VoucherEnded, told

    @precondition(lambda self: self.pieces)
    @rule(which=some, verb=st.sampled_from([VoucherVerb.CANCEL, VoucherVerb.RETURN]))
    def end(self, which, verb):
        piece = self.pieces[which % len(self.pieces)]
        wish = VoucherWish(code=piece.code, idempotency_key=self.key())
        [told] = self.put_back(wish, verb)
        is_open = piece.state == "issued" and not piece.is_over(self.today)
        if is_open and verb is VoucherVerb.RETURN:
            assert type(told) is VoucherNotUsed, told
        elif (is_open and verb is VoucherVerb.CANCEL) or (piece.state == "used" and verb is VoucherVerb.RETURN):
            piece.state = "cancelled" if is_open else "returned"
            assert told.voucher.state == piece.state
            self.net[piece.person] += PRICES[piece.reward]
            self.said.append((verb, wish))
        else:
            assert type(told) is VoucherEnded, told

    def put_back(self, wish, verb):
        return api.end_vouchers(self.tx, wishes=[wish], verb=verb, programmes={"club": CLUB}, now=self.now)

    @precondition(lambda self: self.said)
    @rule(which=some, other=some)
    def say_again(self, which, other):
        """The same is told the same, whoever has the voucher by now; the key stands for nothing else."""
        verb, wish = self.said[which % len(self.said)]
        again = self.put_back(wish, verb) if verb else api.use_vouchers(self.tx, wishes=[wish], now=self.now)
        assert [each.is_duplicate for each in again] == [True]
        piece = self.pieces[other % len(self.pieces)]
        if piece.code != wish.code:
            twisted = msgspec.structs.replace(wish, code=piece.code)
            [told] = api.use_vouchers(self.tx, wishes=[twisted], now=self.now)
            assert type(told) is KeyReused, told

    @rule(days=st.integers(1, 3))
    def pass_days(self, days):
        self.now += timedelta(days=days)
        over = [each for each in self.pieces if each.is_over(self.today)]
        assert api.expire_vouchers(self.tx, programme=CLUB, now=self.now) == len(over)
        for each in over:
            each.state = "expired"

    @invariant()
    def each_has_what_they_asked_for(self):
        for leader in self.leaders():
            cluster = self.cluster(leader)
            found = api.list_vouchers(
                self.tx, profile_id=profile(leader), programme="club", limit_max=100, now=self.now
            )
            assert {(each.code, each.state.value) for each in found} == {
                (each.code, "expired" if each.is_over(self.today) else each.state)
                for each in self.pieces
                if each.person in cluster
            }
            assert {each.profile_id for each in found} <= {profile(leader)}
            [balance] = ledger.get_balances(self.tx, account_ids=[self.account(leader)])
            assert balance == sum(self.net[each] for each in cluster), (leader, cluster)

    @invariant()
    def shelf_and_books_agree(self):
        stock = dict(self.tx.execute("select reward, issued_count from programme.reward_stock").fetchall())
        assert {name: stock.get(name, 0) for name in PRICES} == {name: self.taken(name) for name in PRICES}
        assert store.find_imbalance(self.tx) == store.find_unlotted(self.tx) == []

    @invariant()
    def caps_count_what_each_has(self):
        rows = self.tx.execute(
            "select m.profile_id, c.counter, sum(c.amount) from programme.counter c "
            "join programme.member m using (member_id) where m.merged_into is null and c.amount > 0 group by 1, 2"
        ).fetchall()
        found = {(profile_id, counter): int(amount) for profile_id, counter, amount in rows}
        wanted = {}
        for leader in self.leaders():
            cluster = self.cluster(leader)
            wanted[profile(leader), "reward.coffee.times.day"] = self.taken(COFFEE, cluster)
            wanted[profile(leader), "reward.mug.points.ever"] = self.taken(MUG, cluster) * PRICES[MUG]
        assert found == {key: amount for key, amount in wanted.items() if amount}


def test_whatever_becomes_of_vouchers_and_people_stock_caps_and_points_add_up(tx):
    run(Machine, tx)


@pytest.mark.soak
def test_very_many_histories_of_vouchers(tx):
    run(Machine, tx, max_examples=200, stateful_step_count=40)
