"""Who brings a friend earns once the friend's purchase cannot come back, and no longer when it does."""

from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comity.activity import api as activity
from comity.activity.types import ProfileMove, PurchaseFact, ReturnFact
from comity.definitions.types import ProgrammeSpec, ReturnPolicy, ReturnsSpec
from comity.identity.types import PROFILE_CREATED, PROFILES_MERGED
from comity.kernel.events import Event
from comity.programme import api
from comity.programme.engine.referring import ReferralReason, ReferralState
from comity.programme.promotions import REFERRAL_DECIDED, Referral, ReferralNotOffered, ReferralWish, UnknownReferral
from comity.programme.types import KeyReused, Programme, UnknownMember
from comity.programme.wishes import POINTS_MOVED, WishInvalid
from tests.db.programme.test_api import ADA, BOB, EVE, check_books, published

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
DAY = timedelta(days=1)
OFFER = {"advocate_points": 500, "friend_points": 250, "purchase_min_minor": 2_000, "matures_days": 35}
numbers = count(1)


def club(name="club", **changes):
    spec = {
        "title": "Club", "currency": "EUR", "timezone": "Europe/Berlin", "returns": {"policy": "allow_negative"},
        "points": [{"name": "coins", "expiry": {"kind": "rolling", "after": {"months": 24}}}],
        "referral": OFFER | changes,
    }  # fmt: skip
    return Programme(name=name, spec=msgspec.convert(spec, ProgrammeSpec), version=1)


class Shop:
    """A shop that sells, takes back, and tells of referrals, while days pass."""

    def __init__(self, tx, programme, people=(ADA, BOB, EVE), now=NOW):
        self.tx, self.programme, self.now, self.seen, self.sharing = tx, programme, now, 0, set()
        self.seen = tx.execute("select coalesce(max(event_id), 0) from kernel.event").fetchone()[0]
        for number, profile_id in enumerate(people, 1):
            tx.execute("insert into identity.profile values (%s, %s, null, now())", [profile_id, number])
        api.enrol(tx, profile_ids=list(people), programme=programme, now=now)

    def refer(self, advocate=ADA, friend=BOB, *, key=None, at=None):
        wish = ReferralWish(
            profile_id=advocate, friend_profile_id=friend, programme=self.programme.name, referred_at=at or self.now,
            idempotency_key=key or f"key-{next(numbers)}", told_by="web",
        )  # fmt: skip
        return api.refer(self.tx, wish=wish, programme=self.programme, shares=self.shares, now=self.now)

    def shares(self, _tx, pairs):
        return self.sharing & set(pairs)

    def sell(self, number, amount=5_000, friend=BOB):
        fact = PurchaseFact(
            system="till", stream="order", external_id=f"{number}", business_key=f"R-{number}", occurred_at=self.now,
            amount_minor=amount, currency="EUR",
        )  # fmt: skip
        activity.accept_purchases(self.tx, purchases=[fact], profile_ids=[friend], now=self.now)
        self.listen()

    def take_back(self, number, amount=5_000):
        fact = ReturnFact(
            system="till", stream="refund", external_id=f"{number}", business_key=f"B-{number}",
            purchase_key=f"R-{number}", occurred_at=self.now, amount_minor=amount, currency="EUR",
        )  # fmt: skip
        activity.accept_returns(self.tx, returns=[fact], now=self.now)
        self.listen()

    def merge(self, loser, survivor):
        self._point(loser, survivor)
        self._reassign(loser, survivor)
        self._hear(PROFILES_MERGED, loser_profile_id=str(loser), survivor_profile_id=str(survivor))

    def part(self, loser, survivor):
        """The loser lives again, with all that was bought."""
        self._point(loser, None)
        self._reassign(survivor, loser)
        self._hear(PROFILE_CREATED, profile_id=str(loser))

    def _point(self, loser, survivor):
        self.tx.execute("update identity.profile set merged_into = %s where profile_id = %s", [survivor, loser])

    def _reassign(self, source, target):
        activity.reassign_profiles(self.tx, moves=[ProfileMove(loser_profile_id=source, survivor_profile_id=target)])

    def _hear(self, kind, **payload):
        self.handle([Event(event_id=1, xid=0, kind=kind, payload=payload, occurred_at=self.now)])

    def listen(self):
        rows = self.tx.execute(
            "select event_id, kind, payload, occurred_at from kernel.event where event_id > %s order by 1", (self.seen,)
        ).fetchall()
        self.handle([Event(event_id=row[0], xid=0, kind=row[1], payload=row[2], occurred_at=row[3]) for row in rows])
        self.seen = max((row[0] for row in rows), default=self.seen)

    def handle(self, events):
        for _ in range(2):  # A second time nothing is left to do.
            api.handle_events(self.tx, events=events, programmes=[self.programme], now=self.now, shares=self.shares)

    def wait(self, days):
        self.now += days * DAY
        while api.mature_referrals(self.tx, programme=self.programme, shares=self.shares, now=self.now):
            pass

    def stands(self, referral):
        found = api.get_referral(self.tx, referral_id=referral.referral_id)
        return found.state, found.reason

    def points(self, *people):
        check_books(self.tx)
        found = api.find_members(self.tx, profile_ids=list(people), programme=self.programme.name)
        return [found[each][0].points for each in people]


@pytest.fixture
def shop(tx):
    return Shop(tx, club())


def test_gives_to_both_once_the_purchase_cannot_come_back(tx, shop):
    told = shop.refer()
    assert (told.state, told.reason) == (ReferralState.WAITING, ReferralReason.NO_PURCHASE)
    shop.wait(3)
    shop.sell(1, 1_999)
    assert shop.stands(told)[1] is ReferralReason.PURCHASE_TOO_SMALL
    shop.sell(2)
    assert shop.stands(told) == (ReferralState.PENDING, ReferralReason.CAN_BE_RETURNED)
    shop.wait(34)
    assert shop.points(ADA, BOB) == [0, 0]
    shop.wait(1)
    assert shop.stands(told) == (ReferralState.MATURED, ReferralReason.COMPLETE)
    assert shop.points(ADA, BOB) == [500, 250]
    shop.wait(700)
    assert shop.points(ADA, BOB) == [500, 250]
    assert [(each["cause"], each["points"], each["balance"]) for each in published(tx, POINTS_MOVED)] == [
        ("refer", 500, 500),
        ("refer", 250, 250),
    ]
    assert [each["state"] for each in published(tx, REFERRAL_DECIDED)] == ["waiting", "waiting", "pending", "matured"]
    [listed] = api.list_referrals(
        tx, profile_id=BOB, programme="club", before_referral_id=None, limit_max=9, now=shop.now
    )
    assert (listed.matures_on.isoformat(), listed.decided_from["kept_minor"]) == ("2026-04-08", 5_000)


def test_a_return_takes_back_whenever_it_comes_and_a_withdrawn_one_gives_again(shop):
    told = shop.refer()
    shop.sell(1)
    shop.take_back(1, 4_000)
    assert shop.stands(told) == (ReferralState.WAITING, ReferralReason.PURCHASE_TOO_SMALL)
    shop.take_back(1, 3_000)
    shop.wait(35)
    assert shop.points(ADA, BOB) == [500, 250]
    shop.take_back(1)
    assert shop.stands(told) == (ReferralState.WAITING, ReferralReason.PURCHASE_TOO_SMALL)
    assert shop.points(ADA, BOB) == [0, 0]
    shop.take_back(1, 0)
    assert shop.points(ADA, BOB) == [500, 250]


def test_what_is_spent_is_owed_and_counts_when_the_points_are_due_again(tx, shop):
    shop.refer()
    shop.sell(1)
    shop.wait(35)
    api.redeem(tx, profile_id=ADA, programme="club", points=400, idempotency_key="mug", now=shop.now)
    shop.take_back(1)
    assert shop.points(ADA, BOB) == [-400, 0]
    shop.take_back(1, 0)
    assert shop.points(ADA, BOB) == [100, 250]


def test_by_the_policy_of_returns_what_is_spent_stays_and_is_not_given_twice(tx):
    spec = club().spec
    spec = msgspec.structs.replace(spec, returns=ReturnsSpec(policy=ReturnPolicy.WITHIN_BALANCE))
    within = Programme(name="within", version=1, spec=spec)
    shop = Shop(tx, within)
    shop.refer()
    shop.sell(1)
    shop.wait(35)
    api.redeem(tx, profile_id=ADA, programme="within", points=400, idempotency_key="mug", now=shop.now)
    shop.take_back(1)
    assert shop.points(ADA, BOB) == [0, 0]
    shop.take_back(1, 0)
    assert shop.points(ADA, BOB) == [100, 250]


def test_two_who_turn_out_to_be_one_give_back_and_may_be_two_again(shop):
    told = shop.refer()
    shop.sell(1)
    shop.wait(35)
    assert shop.points(ADA, BOB) == [500, 250]
    shop.merge(BOB, ADA)
    assert shop.stands(told) == (ReferralState.REFUSED, ReferralReason.SAME_PERSON)
    assert shop.points(ADA) == [0]
    shop.part(BOB, ADA)
    assert shop.stands(told) == (ReferralState.MATURED, ReferralReason.COMPLETE)
    assert shop.points(ADA, BOB) == [500, 250]


def test_points_that_came_while_two_were_one_go_with_whom_they_were_told_for(shop):
    told = shop.refer(EVE, BOB)
    shop.merge(EVE, ADA)
    shop.sell(1)
    shop.wait(35)
    assert shop.stands(told)[0] is ReferralState.MATURED
    assert shop.points(ADA, BOB) == [500, 250]
    shop.part(EVE, ADA)
    assert shop.points(ADA, BOB, EVE) == [0, 250, 500]
    shop.take_back(1)
    assert shop.points(ADA, BOB, EVE) == [0, 0, 0]


def test_who_shares_what_people_are_found_by_refers_themselves(shop):
    shop.sharing = {(ADA, BOB)}
    told, other = shop.refer(), shop.refer(EVE, BOB)
    assert shop.stands(told) == (ReferralState.REFUSED, ReferralReason.SAME_PERSON)
    assert shop.stands(other) == (ReferralState.WAITING, ReferralReason.NO_PURCHASE)  # The first never was one.
    assert shop.refer(EVE, EVE).reason is ReferralReason.SAME_PERSON


def test_a_friend_is_brought_once_and_was_nobodys_customer(shop):
    shop.refer()
    assert shop.refer(EVE, BOB).reason is ReferralReason.ALREADY_REFERRED
    shop.sell(1, 100, friend=EVE)
    shop.wait(1)
    assert shop.refer(ADA, EVE).reason is ReferralReason.FRIEND_WAS_CUSTOMER


def test_a_cap_of_the_advocate_holds_and_what_is_taken_back_is_free_again(tx):
    people = [UUID(int=100 + number) for number in range(4)]
    shop = Shop(tx, club(caps=[{"per": "ever", "times": 2}]), [ADA, *people])
    told = [shop.refer(ADA, friend) for friend in people[:3]]
    for number, friend in enumerate(people[:3]):
        shop.sell(number, friend=friend)
    shop.wait(35)
    assert [shop.stands(each)[1] for each in told] == ["complete", "complete", "cap_reached"]
    assert shop.points(ADA, *people) == [1_000, 250, 250, 0, 0]
    shop.take_back(0)
    assert [shop.stands(each)[1] for each in told] == ["purchase_too_small", "complete", "complete"]
    assert shop.points(ADA, *people) == [1_000, 0, 250, 250, 0]
    shop.take_back(0, 0)
    assert [shop.stands(each)[1] for each in told] == ["cap_reached", "complete", "complete"]


def test_waits_no_longer_than_the_programme_says(shop):
    told = shop.refer()
    shop.wait(90)
    assert shop.stands(told)[0] is ReferralState.WAITING
    shop.wait(1)
    assert shop.stands(told) == (ReferralState.REFUSED, ReferralReason.NO_PURCHASE_IN_TIME)


def test_one_key_is_one_referral(tx, shop):
    told = shop.refer(key="r-1")
    again = shop.refer(key="r-1", at=shop.now - DAY)
    assert (again.referral_id, again.is_duplicate) == (told.referral_id, True)
    with pytest.raises(KeyReused):
        shop.refer(ADA, EVE, key="r-1")
    with pytest.raises(UnknownReferral):
        api.get_referral(tx, referral_id=told.referral_id + 1)


def test_refuses_what_cannot_be(shop):
    with pytest.raises(UnknownMember):
        shop.refer(ADA, UUID(int=77))
    with pytest.raises(WishInvalid):
        shop.refer(at=shop.now + DAY)
    with pytest.raises(WishInvalid):
        shop.refer(key="k" * 451)
    plain = Programme(name="club", spec=msgspec.structs.replace(shop.programme.spec, referral=None))
    shop.programme = plain
    with pytest.raises(ReferralNotOffered):
        shop.refer()


FRIENDS = [UUID(int=50 + number) for number in range(3)]
STEPS = st.one_of(
    st.tuples(st.just("refer"), st.integers(0, 1), st.integers(0, 2)),
    st.tuples(st.just("sell"), st.integers(0, 2), st.sampled_from([1_000, 3_000, 6_000])),
    st.tuples(st.just("return"), st.integers(0, 5), st.sampled_from([0, 500, 4_500, 6_000])),
    st.tuples(st.just("wait"), st.sampled_from([1, 20, 36, 80]), st.just(0)),
    st.tuples(st.just("merge"), st.integers(0, 2), st.integers(0, 1)),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=3, max_size=14), most=st.sampled_from([1, 2, 9]))
def test_whatever_comes_the_books_say_what_the_referrals_say(tx, steps, most):
    with tx.transaction(force_rollback=True):
        advocates = [ADA, BOB]
        shop = Shop(tx, club(caps=[{"per": "ever", "times": most}]), [*advocates, *FRIENDS])
        sold, merged = 0, set()
        for kind, one, other in steps:
            if kind == "refer":
                shop.refer(advocates[one], FRIENDS[other])
            elif kind == "sell":
                shop.sell(sold, other, friend=ADA if one in merged else FRIENDS[one])
                sold += 1
            elif kind == "return" and one < sold:
                shop.take_back(one, other)
            elif kind == "wait":
                shop.wait(one)
            elif kind == "merge" and not merged:
                merged.add(one)
                shop.merge(FRIENDS[one], ADA)
            _check(shop, advocates, merged, most)


def _check(shop, advocates, merged, most):
    rows = shop.tx.execute(
        "select referral_id, programme, profile_id, friend_profile_id, referred_at, state, reason, advocate_points, "
        "friend_points from programme.referral"
    ).fetchall()
    names = Referral.__struct_fields__[:9]
    told = [msgspec.convert(dict(zip(names, row, strict=True)), Referral) for row in rows]
    due = dict.fromkeys([*advocates, *FRIENDS], 0)
    given_by = dict.fromkeys(advocates, 0)
    for each in told:
        if each.state is ReferralState.MATURED:
            due[each.profile_id] += 500
            due[each.friend_profile_id] += 250
            given_by[each.profile_id] += 1
            assert each.profile_id != ADA or each.friend_profile_id not in {FRIENDS[one] for one in merged}
    for one in merged:
        due[ADA] += due.pop(FRIENDS[one])
    assert shop.points(*due) == list(due.values())
    assert max(given_by.values()) <= most
    standing = shop.tx.execute("select coalesce(sum(points), 0), coalesce(sum(kept), 0) from programme.referral_gift")
    assert standing.fetchone() == (sum(due.values()), 0)
