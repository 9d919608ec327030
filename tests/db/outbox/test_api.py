"""Stale marks: one per person and system, urgent first, none lost while a delivery runs."""

from datetime import timedelta

from comity.outbox import api as outbox
from comity.outbox.types import Lane, NewBase
from tests.conftest import NOW

SYSTEM = "crm-a"


def _claim(tx, now=NOW, count_max=10):
    return outbox.claim_stale(tx, system=SYSTEM, now=now, count_max=count_max)


class TestMarkStale:
    def test_a_thousand_marks_are_one(self, tx, ids):
        person = ids.uuid7(NOW)
        for _ in range(5):
            outbox.mark_stale(tx, profile_ids=[person, person], systems=[SYSTEM, "crm-b"], now=NOW)
        assert [claim.profile_id for claim in _claim(tx)] == [person]

    def test_the_more_urgent_lane_goes_first(self, tx, ids):
        calm, urgent = ids.uuid7(NOW), ids.uuid7(NOW)
        outbox.mark_stale(tx, profile_ids=[calm], systems=[SYSTEM], lane=Lane.PROFILE, now=NOW)
        outbox.mark_stale(tx, profile_ids=[urgent], systems=[SYSTEM], lane=Lane.PROFILE, now=NOW)
        outbox.mark_stale(tx, profile_ids=[urgent], systems=[SYSTEM], lane=Lane.POINTS, now=NOW)
        assert [claim.profile_id for claim in _claim(tx, count_max=1)] == [urgent]

    def test_a_mark_set_during_a_delivery_survives_it(self, tx, ids):
        person = ids.uuid7(NOW)
        outbox.mark_stale(tx, profile_ids=[person], systems=[SYSTEM], now=NOW)
        [claim] = _claim(tx)
        outbox.mark_stale(tx, profile_ids=[person], systems=[SYSTEM], now=NOW)
        outbox.finish_stale(tx, system=SYSTEM, profile_ids=[person], marks=[claim.mark])
        [again] = _claim(tx)
        outbox.finish_stale(tx, system=SYSTEM, profile_ids=[person], marks=[again.mark])
        assert _claim(tx) == []


class TestClaimStale:
    def test_a_claim_is_not_given_twice_until_its_time_is_over(self, tx, ids):
        outbox.mark_stale(tx, profile_ids=[ids.uuid7(NOW)], systems=[SYSTEM], now=NOW)
        assert len(_claim(tx)) == 1
        assert _claim(tx) == []
        assert len(_claim(tx, now=NOW + timedelta(seconds=outbox.CLAIM_SECONDS + 1))) == 1

    def test_two_connections_never_claim_the_same(self, database, ids):
        people = [ids.uuid7(NOW) for _ in range(20)]
        with database.transaction() as tx:
            outbox.mark_stale(tx, profile_ids=people, systems=[SYSTEM], now=NOW)
        with database.transaction() as one, database.transaction() as two:
            first, second = _claim(one, count_max=15), _claim(two, count_max=15)
        assert len(first) + len(second) == 20
        assert not {claim.profile_id for claim in first} & {claim.profile_id for claim in second}


class TestRetryAndPark:
    def test_a_retry_waits_and_counts_only_failures(self, tx, ids):
        person = ids.uuid7(NOW)
        outbox.mark_stale(tx, profile_ids=[person], systems=[SYSTEM], now=NOW)
        _claim(tx)
        later = NOW + timedelta(seconds=5)
        outbox.retry_stale(tx, system=SYSTEM, profile_ids=[person], due_ats=[later], are_failures=[False])
        assert _claim(tx) == []
        [claim] = _claim(tx, now=later)
        assert claim.attempts == 0
        outbox.retry_stale(tx, system=SYSTEM, profile_ids=[person], due_ats=[later], are_failures=[True])
        assert _claim(tx, now=later)[0].attempts == 1

    def test_a_parked_delivery_is_listed_and_comes_back_on_replay_or_new_mark(self, tx, ids):
        person = ids.uuid7(NOW)
        outbox.mark_stale(tx, profile_ids=[person], systems=[SYSTEM], now=NOW)
        [claim] = _claim(tx)
        outbox.park_stale(
            tx, system=SYSTEM, profile_ids=[person], marks=[claim.mark], codes=["BAD"], messages=["no"], now=NOW
        )
        assert [item.code for item in outbox.list_parked(tx, system=None, count_max=5)] == ["BAD"]
        assert _claim(tx) == []
        assert outbox.replay_parked(tx, now=NOW) == 1
        assert len(_claim(tx)) == 1


class TestBases:
    def test_fields_merge_and_writes_of_the_hour_are_counted(self, tx):
        for field, is_write in (("a", True), ("b", True), ("c", False)):
            base = NewBase(record_id=1, fields={field: {"sent": 1, "stored": 1}}, is_write=is_write)
            outbox.store_bases(tx, system=SYSTEM, bases=[base], now=NOW)
        found = outbox.get_bases(tx, record_ids=[1, 2])
        assert set(found[1].fields) == {"a", "b", "c"}
        assert found[1].writes_in_hour == 2
        late = NewBase(record_id=1, fields={"d": {"sent": 1, "stored": 1}}, is_write=True)
        outbox.store_bases(tx, system=SYSTEM, bases=[late], now=NOW + timedelta(hours=2))
        assert outbox.get_bases(tx, record_ids=[1])[1].writes_in_hour == 1
