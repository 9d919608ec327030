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
    def test_what_a_dead_worker_was_at_is_there_for_the_next(self, tx, ids):
        outbox.mark_stale(tx, profile_ids=[ids.uuid7(NOW)], systems=[SYSTEM], now=NOW)
        assert len(_claim(tx)) == 1
        assert len(_claim(tx)) == 1

    def test_tells_when_the_next_mark_is_due(self, tx, ids):
        assert outbox.find_next_due(tx, system=SYSTEM) is None
        later = NOW + timedelta(seconds=30)
        outbox.mark_stale(tx, profile_ids=[ids.uuid7(NOW)], systems=[SYSTEM], now=later)
        assert outbox.find_next_due(tx, system=SYSTEM) == later

    def test_systems_that_left_have_no_marks(self, tx, ids):
        outbox.mark_stale(tx, profile_ids=[ids.uuid7(NOW)], systems=[SYSTEM, "crm-b"], now=NOW)
        outbox.drop_systems(tx, kept=["crm-b"])
        assert [count.system for count in outbox.count_stale(tx)] == ["crm-b"]


class TestRetryAndPark:
    def test_a_retry_waits_and_counts_only_failures(self, tx, ids):
        person = ids.uuid7(NOW)
        outbox.mark_stale(tx, profile_ids=[person], systems=[SYSTEM], now=NOW)
        mark = _claim(tx)[0].mark
        later = NOW + timedelta(seconds=5)
        outbox.retry_stale(tx, system=SYSTEM, profile_ids=[person], marks=[mark], due_ats=[later], are_failures=[False])
        assert _claim(tx) == []
        [claim] = _claim(tx, now=later)
        assert claim.attempts == 0
        outbox.retry_stale(tx, system=SYSTEM, profile_ids=[person], marks=[mark], due_ats=[later], are_failures=[True])
        assert _claim(tx, now=later)[0].attempts == 1

    def test_what_happened_meanwhile_is_not_put_off(self, tx, ids):
        person = ids.uuid7(NOW)
        outbox.mark_stale(tx, profile_ids=[person], systems=[SYSTEM], now=NOW)
        old = _claim(tx)[0].mark
        outbox.mark_stale(tx, profile_ids=[person], systems=[SYSTEM], now=NOW)
        later = NOW + timedelta(hours=1)
        outbox.retry_stale(tx, system=SYSTEM, profile_ids=[person], marks=[old], due_ats=[later], are_failures=[True])
        outbox.park_stale(tx, system=SYSTEM, profile_ids=[person], marks=[old], codes=["BAD"], messages=["no"], now=NOW)
        assert [claim.attempts for claim in _claim(tx)] == [0]

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

    def test_only_a_parked_delivery_can_be_given_up(self, tx, ids):
        waiting, parked = ids.uuid7(NOW), ids.uuid7(NOW)
        outbox.mark_stale(tx, profile_ids=[waiting, parked], systems=[SYSTEM], now=NOW)
        marks = {claim.profile_id: claim.mark for claim in _claim(tx)}
        outbox.park_stale(
            tx, system=SYSTEM, profile_ids=[parked], marks=[marks[parked]], codes=["BAD"], messages=["no"], now=NOW
        )
        assert outbox.discard_parked(tx, system=SYSTEM, profile_ids=[waiting, parked]) == 1
        assert outbox.list_parked(tx, system=None, count_max=5) == []
        assert [claim.profile_id for claim in _claim(tx)] == [waiting]


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

    def test_a_doubt_that_came_up_after_a_comparison_stays(self, tx):
        outbox.store_bases(tx, system=SYSTEM, bases=[NewBase(record_id=1, fields={}, is_write=True)], now=NOW)
        outbox.doubt_bases(tx, record_ids=[1], shown=[None])
        compared = outbox.get_bases(tx, record_ids=[1])[1]
        assert compared.is_doubted
        outbox.doubt_bases(tx, record_ids=[1], shown=[None])
        outbox.settle_bases(tx, record_ids=[1], settled_counts=[compared.doubted_count])
        assert outbox.get_bases(tx, record_ids=[1])[1].is_doubted
        outbox.settle_bases(tx, record_ids=[1], settled_counts=[compared.doubted_count + 1])
        assert not outbox.get_bases(tx, record_ids=[1])[1].is_doubted


class TestFlights:
    def test_tell_what_is_being_written_until_that_is_settled(self, tx):
        ulm, bonn, wien = ({"city": {"sent": town, "held": None}} for town in ("Ulm", "Bonn", "Wien"))
        outbox.note_flights(tx, values={1: ulm, 2: bonn})
        outbox.note_flights(tx, values={1: wien})
        assert outbox.list_flights(tx, record_ids=[1, 3]) == {1: wien}
        outbox.end_flights(tx, record_ids=[1])
        assert outbox.list_flights(tx, record_ids=[1, 2]) == {2: bonn}
