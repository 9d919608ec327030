"""Two who were merged by mistake are parted while points of one lie in a pool of the other."""

from uuid import UUID

import msgspec
import pytest

from comity.definitions.types import ProgrammeSpec
from comity.kernel.events import Event
from comity.ledger import api as ledger
from comity.programme import api, parting, pool_shares
from comity.programme.pools import PoolSpending, PoolWish
from comity.programme.types import POINTS_EARNED, POINTS_PARTED, Programme
from tests.db.programme import test_parting
from tests.db.programme.test_api import ADA, BOB, EVE, check_books, published
from tests.db.programme.test_parting import SPEC, Club

POOLS = {"contribution_percent": 50}


class Family(Club):
    """People who may collect in pools."""

    def open(self, person, key="open"):
        wish = PoolWish(profile_id=person, programme="club", idempotency_key=key)
        return api.open_pool(self.tx, wish=wish, programme=test_parting.CLUB, now=self.now).pool_id

    def join(self, pool_id, person):
        programmes = {"club": test_parting.CLUB}
        api.join_pool(self.tx, pool_id=pool_id, profile_id=person, programmes=programmes, now=self.now)

    def leave(self, pool_id, person):
        programmes = {"club": test_parting.CLUB}
        api.leave_pool(self.tx, pool_id=pool_id, profile_id=person, programmes=programmes, now=self.now)

    def buy(self, person, points, number):
        super().buy(person, points, number)
        events = [
            Event(event_id=1, xid=1, kind=POINTS_EARNED, payload=each, occurred_at=self.now)
            for each in published(self.tx, POINTS_EARNED)
        ]
        api.collect_in_pools(self.tx, events=events, programmes=[test_parting.CLUB], now=self.now)
        check_books(self.tx)

    def spend(self, pool_id, person, points):
        wish = PoolSpending(pool_id=pool_id, profile_id=person, points=points, idempotency_key=f"{person}-{points}")
        programmes = {"club": test_parting.CLUB}
        return api.redeem_from_pool(self.tx, wish=wish, programmes=programmes, now=self.now).transfer_id

    def pooled(self, pool_id):
        account_id = api.get_pool(self.tx, pool_id).account_id
        return ledger.get_balances(self.tx, account_ids=[account_id])[0]

    def told(self):
        return {UUID(each["profile_id"]): each for each in published(self.tx, POINTS_PARTED)}


@pytest.fixture
def make(tx, clock, monkeypatch):
    def make(**changes):
        spec = msgspec.convert(SPEC | {"pools": POOLS} | changes, ProgrammeSpec)
        monkeypatch.setattr(test_parting, "CLUB", Programme(name="club", spec=spec))
        return Family(tx, clock.now())

    yield make
    check_books(tx)


def test_what_lies_in_a_pool_of_the_other_comes_back(make, tx):
    club = make()
    pool = club.open(BOB)
    club.merge(ADA, BOB)
    club.buy(ADA, 100, 1)
    club.buy(BOB, 40, 2)
    assert (club.show(BOB)[0], club.pooled(pool)) == (70, 70)
    club.part(ADA)
    assert (club.show(ADA)[0], club.show(BOB)[0], club.pooled(pool)) == (100, 20, 20)
    told = club.told()
    assert [told[ADA][name] for name in ("points", "given_back", "shortfall")] == [100, 0, 0]
    reasons = tx.execute("select distinct reason from ledger.transfer where kind = 'pool'").fetchall()
    assert {each for (each,) in reasons} == {pool_shares.IN_POOL, pool_shares.PARTED}


@pytest.mark.parametrize("spender", [BOB, EVE])
@pytest.mark.parametrize(("policy", "of_bob", "let_go"), [("owed", -20, 0), ("let_go", 0, 20)])
def test_what_the_pool_has_spent_is_paid_by_who_took_it_there(make, tx, spender, policy, of_bob, let_go):
    """Ada's 100: 50 lie in Bob's pool, where 40 are spent; of his own 20 Bob has the half beside the pool."""
    club = make(unmerge={"shortfall": policy})
    pool = club.open(BOB)
    club.join(pool, EVE)
    club.merge(ADA, BOB)
    club.buy(ADA, 100, 1)
    spent = club.spend(pool, spender, 40)
    club.buy(BOB, 40, 2)
    club.part(ADA)
    told = club.told()
    assert [told[ADA][name] for name in ("points", "given_back", "paid", "shortfall")] == [60, 40, 0, 0]
    assert [told[BOB][name] for name in ("points", "given_back", "paid", "shortfall")] == [-60, 0, 40, 20]
    assert (told[BOB]["policy"], told[BOB]["let_go"]) == (policy, let_go)
    assert (club.show(ADA)[0], club.show(BOB)[0], club.pooled(pool)) == (100, of_bob, 20)
    rolled = ledger.roll_forward(tx, unit="club", first_on=club.now.date(), last_on=club.now.date())
    assert (rolled.issued, rolled.redeemed, rolled.adjusted) == (140, 40, let_go)
    assert rolled.closing == 100 + of_bob + 20
    assert ledger.trace(tx, transfer_id=spent).lines
    # Once more, and nothing of it is counted twice.
    club.merge(ADA, BOB)
    club.part(ADA)
    assert (club.show(ADA)[0], club.show(BOB)[0], club.pooled(pool)) == (100, of_bob, 20)


def test_what_one_took_to_their_own_pool_stays_there(make):
    """Ada's pool is the first of the two, so while they are one it has a part of all, also of what is Bob's."""
    club = make(pools={**POOLS, "pools_max": 2})
    pool = club.open(ADA)
    club.buy(ADA, 100, 1)
    club.merge(ADA, BOB)
    club.buy(ADA, 60, 2)
    club.buy(BOB, 40, 3)
    assert (club.show(BOB)[0], club.pooled(pool)) == (100, 100)
    club.part(ADA)
    assert (club.show(ADA)[0], club.show(BOB)[0], club.pooled(pool)) == (80, 40, 80)
    club.leave(pool, ADA)
    assert (club.show(ADA)[0], club.show(BOB)[0], club.pooled(pool)) == (160, 40, 0)


def test_what_ada_spent_of_bob_in_her_pool_she_pays(make):
    club = make()
    pool = club.open(ADA)
    club.join(pool, EVE)
    club.merge(ADA, BOB)
    club.buy(BOB, 100, 1)
    club.spend(pool, EVE, 30)
    club.part(ADA)
    told = club.told()
    assert [told[BOB][name] for name in ("given_back", "paid")] == [30, 0]
    assert [told[ADA][name] for name in ("given_back", "paid", "shortfall")] == [0, 30, 30]
    assert (club.show(ADA)[0], club.show(BOB)[0], club.pooled(pool)) == (-30, 100, 0)


def test_what_left_the_pool_or_was_returned_meanwhile_is_counted_once(make):
    club = make()
    pool = club.open(BOB)
    club.join(pool, EVE)
    club.merge(ADA, BOB)
    club.buy(ADA, 100, 1)
    club.buy(EVE, 10, 2)
    club.leave(pool, BOB)
    assert (club.show(BOB)[0], club.pooled(pool)) == (100, 5)
    club.redeem(BOB, 30, "r")
    club.part(ADA)
    assert (club.show(ADA)[0], club.show(BOB)[0], club.pooled(pool)) == (100, -30, 5)


def test_a_purchase_that_turns_out_to_be_somebody_elses_leaves_the_pool(make, tx):
    club = make()
    pool = club.open(BOB)
    club.join(pool, EVE)
    club.buy(BOB, 100, 1)
    club.spend(pool, EVE, 10)
    tx.execute("update identity.record set profile_id = %s where record_id = %s", [ADA, test_parting.RECORDS[BOB]])
    test_parting.activity.follow_records(tx, record_ids=[test_parting.RECORDS[BOB]])
    for count in (1, 0):
        moved = parting.move_purchases(tx, profile_ids=[BOB], programmes=[test_parting.CLUB], now=club.now)
        assert moved == count
    assert (club.show(ADA)[0], club.show(BOB)[0], club.pooled(pool)) == (100, -10, 0)
