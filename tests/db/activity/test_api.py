"""Purchases: one fact reported by several systems counts once, and nothing vanishes."""

from datetime import UTC, datetime
from threading import Barrier, Thread
from uuid import UUID

import pytest

from comity.activity import api
from comity.activity.types import (
    PURCHASE_DIFFERS,
    PURCHASE_RECORDED,
    LinkedRecord,
    ProfileMove,
    PurchaseFact,
    RecordReference,
    ReturnFact,
)

ADA, BOB = UUID(int=1), UUID(int=2)
BOUGHT_AT = datetime(2026, 3, 1, 10, tzinfo=UTC)


def person(external_id, system="crm-a"):
    return RecordReference(system=system, stream="Contact", external_id=external_id)


def fact(external_id, key=None, amount=1_000, system="crm-a", **changes):
    fields = {"occurred_at": BOUGHT_AT, "currency": "EUR"} | changes
    return PurchaseFact(
        system=system, stream="Order", external_id=external_id, business_key=key, amount_minor=amount, **fields
    )


def published(tx, kind):
    rows = tx.execute("select payload from kernel.event where kind = %s order by event_id", (kind,)).fetchall()
    return [row[0] for row in rows]


@pytest.fixture
def now(clock):
    return clock.now()


class TestAcceptPurchases:
    def accept(self, tx, now, *facts, profiles=None):
        return api.accept_purchases(tx, purchases=facts, profile_ids=profiles or [ADA] * len(facts), now=now)

    def test_publishes_a_fact_once(self, tx, now):
        [first] = self.accept(tx, now, fact("o1", "R-1"))
        [again] = self.accept(tx, now, fact("o1", "R-1"))
        [other] = self.accept(tx, now, fact("x9", "R-1", system="shop"))
        assert (first.is_new, again.is_new, other.is_new) == (True, False, False)
        assert first.purchase_id == again.purchase_id == other.purchase_id
        [payload] = published(tx, PURCHASE_RECORDED)
        assert payload["profile_id"] == str(ADA)
        assert (payload["system"], payload["stream"], payload["external_id"]) == ("crm-a", "Order", "o1")

    def test_counts_two_reports_in_one_batch_once(self, tx, now):
        first, other, alone = self.accept(tx, now, fact("o1", "R-1"), fact("x9", "R-1", system="shop"), fact("o2"))
        assert [first.is_new, other.is_new, alone.is_new] == [True, False, True]
        assert first.purchase_id == other.purchase_id != alone.purchase_id
        assert len(published(tx, PURCHASE_RECORDED)) == 2

    def test_falls_back_to_system_and_id(self, tx, now):
        mine, theirs = self.accept(tx, now, fact("o1"), fact("o1", system="shop"))
        assert mine.purchase_id != theirs.purchase_id
        keys = {each.business_key for each in api.list_purchases(tx, profile_id=ADA)}
        assert keys == {"crm-a:o1", "shop:o1"}

    def test_a_report_speaks_of_one_fact_for_good(self, tx, now):
        [first] = self.accept(tx, now, fact("o1"))
        [renamed, again] = self.accept(tx, now, fact("o1", "R-1"), fact("o1", "R-2"))
        assert first.purchase_id == renamed.purchase_id == again.purchase_id
        fresh, other = self.accept(tx, now, fact("o5", "R-5"), fact("o5", "R-6"))
        assert fresh.purchase_id == other.purchase_id

    def test_keeps_a_differing_report_and_says_so_once(self, tx, now):
        self.accept(tx, now, fact("o1", "R-1"))
        for _ in range(2):
            [other] = self.accept(tx, now, fact("x9", "R-1", amount=1_200, system="shop"))
            assert (other.is_new, other.is_conflicting) == (False, True)
        [payload] = published(tx, PURCHASE_DIFFERS)
        assert (payload["amount_minor"], payload["reported_amount_minor"]) == (1_000, 1_200)
        [kept] = api.list_purchases(tx, profile_id=ADA)
        assert kept.amount_minor == 1_000
        [row] = tx.execute("select is_differing from activity.report where system = 'shop'").fetchall()
        assert row == (True,)
        [agreed] = self.accept(tx, now, fact("x9", "R-1", system="shop"))
        assert not agreed.is_conflicting
        assert len(published(tx, PURCHASE_RECORDED)) == 1

    def test_refuses_lists_of_different_length(self, tx, now):
        with pytest.raises(ValueError, match="one length"):
            api.accept_purchases(tx, purchases=[fact("o1")], profile_ids=[], now=now)


class TestWaiting:
    def test_a_purchase_waits_for_its_person(self, tx, now):
        api.accept_purchases(tx, purchases=[fact("o1", person=person("7"))], profile_ids=[None], now=now)
        assert published(tx, PURCHASE_RECORDED) == []
        assert api.list_waiting(tx) == [person("7")]
        record = LinkedRecord(system="crm-a", stream="Contact", external_id="7", profile_id=ADA)
        assert api.attach_waiting(tx, records=[record], now=now) == 1
        assert api.attach_waiting(tx, records=[record], now=now) == 0
        [payload] = published(tx, PURCHASE_RECORDED)
        assert (payload["profile_id"], payload["external_id"]) == (str(ADA), "o1")
        assert api.list_waiting(tx) == []

    def test_what_waits_can_be_seen_until_what_it_waits_for_comes(self, tx, now):
        named = fact("o1", "R-1", person=person("7"))
        api.accept_purchases(tx, purchases=[named, fact("o2", "R-2")], profile_ids=[None, None], now=now)
        returned = ReturnFact(
            system="shop",
            stream="Refund",
            external_id="t1",
            business_key="T-1",
            purchase_key="R-9",
            occurred_at=BOUGHT_AT,
            amount_minor=500,
            currency="EUR",
        )
        api.accept_returns(tx, returns=[returned], now=now)
        waiting = [(each.kind, each.business_key, each.waits_for) for each in api.list_unplaced(tx)]
        assert waiting == [("purchase", "R-1", "crm-a/Contact/7"), ("return", "T-1", "R-9")]
        assert [each.kind for each in api.list_unplaced(tx, system="shop")] == ["return"]
        record = LinkedRecord(system="crm-a", stream="Contact", external_id="7", profile_id=ADA)
        api.attach_waiting(tx, records=[record], now=now)
        api.accept_purchases(tx, purchases=[fact("o9", "R-9")], profile_ids=[ADA], now=now)
        assert api.list_unplaced(tx) == []

    def test_a_report_of_another_system_may_know_the_person(self, tx, now):
        api.accept_purchases(tx, purchases=[fact("o1", "R-1", person=person("7"))], profile_ids=[None], now=now)
        api.accept_purchases(tx, purchases=[fact("x9", "R-1", system="shop")], profile_ids=[ADA], now=now)
        assert len(published(tx, PURCHASE_RECORDED)) == 1
        assert [each.profile_id for each in api.list_purchases(tx, profile_id=ADA)] == [ADA]

    def test_inside_one_batch_too(self, tx, now):
        first, other = api.accept_purchases(
            tx, purchases=[fact("o1", "R-1"), fact("x9", "R-1", system="shop")], profile_ids=[None, ADA], now=now
        )
        assert first.profile_id == other.profile_id == ADA
        assert len(published(tx, PURCHASE_RECORDED)) == 1

    def test_a_waiting_purchase_is_found_by_any_report(self, tx, now):
        reports = [
            fact("o1", "R-1", person=person("7")),
            fact("x9", "R-1", system="shop", person=person("s7", system="shop")),
        ]
        api.accept_purchases(tx, purchases=reports, profile_ids=[None, None], now=now)
        record = LinkedRecord(system="shop", stream="Contact", external_id="s7", profile_id=ADA)
        assert api.attach_waiting(tx, records=[record], now=now) == 1


class TestReassignProfiles:
    def test_purchases_follow_the_survivor(self, tx, now):
        api.accept_purchases(tx, purchases=[fact("o1"), fact("o2")], profile_ids=[ADA, BOB], now=now)
        moves = [
            ProfileMove(loser_profile_id=ADA, survivor_profile_id=BOB),
            ProfileMove(loser_profile_id=BOB, survivor_profile_id=UUID(int=3)),
        ]
        assert api.reassign_profiles(tx, moves=moves) == 2
        assert api.reassign_profiles(tx, moves=moves) == 0
        assert len(api.list_purchases(tx, profile_id=UUID(int=3))) == 2
        assert len(published(tx, PURCHASE_RECORDED)) == 2


def test_the_same_facts_at_once_count_once(database, now):
    barrier = Barrier(4)
    accepted, failures = [], []

    def work(number):
        try:
            with database.connect() as connection:
                barrier.wait(timeout=20)
                for step in range(5):
                    keys = [f"R-{step}-{i}" for i in range(20)]
                    facts = [fact(f"{number}-{key}", key) for key in (keys if number % 2 else keys[::-1])]
                    with connection.transaction():
                        accepted.extend(
                            api.accept_purchases(connection, purchases=facts, profile_ids=[ADA] * 20, now=now)
                        )
        except Exception as error:  # noqa: BLE001 - reported by the main thread.
            failures.append(error)

    threads = [Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert failures == []
    assert sum(each.is_new for each in accepted) == 100
    with database.transaction() as tx:
        assert len(published(tx, PURCHASE_RECORDED)) == 100
        assert tx.execute("select count(*) from activity.report").fetchone() == (400,)
