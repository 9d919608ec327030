"""Stale marks: one per person and system, urgent first, none lost while a delivery runs."""

from datetime import timedelta

import pytest

from comity.outbox import api as outbox
from comity.outbox.types import Lane, NewBase, RecordNews
from tests.conftest import NOW

SYSTEM, OTHER = "crm-a", "crm-b"


class Outbox:
    """An outbox whose log is appended to in one transaction and taken in another."""

    def __init__(self, database):
        self.database = database

    def note(self, *profile_ids, records=(), lane=Lane.PROFILE):
        with self.database.transaction() as tx:
            outbox.note_changes(tx, profile_ids=profile_ids, records=records, lane=lane)

    def take(self, system=SYSTEM, now=NOW):
        with self.database.transaction() as tx:
            return outbox.take_changes(tx, system=system, now=now)

    def mark(self, *profile_ids, system=SYSTEM, now=NOW, lane=Lane.PROFILE):
        self.note(*profile_ids, lane=lane)
        self.take(system, now)

    def claims(self, system=SYSTEM, now=NOW, count_max=10):
        with self.database.transaction() as tx:
            return outbox.claim_stale(tx, system=system, now=now, count_max=count_max)

    def marks(self, system=SYSTEM):
        return {claim.profile_id: claim.mark for claim in self.claims(system)}

    def do(self, name, **params):
        with self.database.transaction() as tx:
            return getattr(outbox, name)(tx, **params)

    def count(self, system=SYSTEM):
        [count] = self.do("count_stale", systems=[system], now=NOW)
        return count.waiting_count, count.unread_count

    def log(self):
        with self.database.transaction() as tx:
            return tx.execute("select count(*) from outbox.change").fetchone()[0]


@pytest.fixture
def box(database):
    return Outbox(database)


@pytest.fixture
def person(ids):
    return ids.uuid7(NOW)


class TestTakeChanges:
    def test_a_thousand_changes_are_one_mark_in_each_system(self, box, person):
        for _ in range(5):
            box.note(person, person)
        assert not box.take()
        assert not box.take(OTHER)
        assert list(box.marks()) == list(box.marks(OTHER)) == [person]
        assert not box.take()

    def test_the_more_urgent_lane_goes_first(self, box, ids):
        calm, urgent = ids.uuid7(NOW), ids.uuid7(NOW)
        box.mark(calm)
        box.mark(urgent)
        box.mark(urgent, lane=Lane.POINTS)
        assert [claim.profile_id for claim in box.claims(count_max=1)] == [urgent]

    def test_a_change_during_a_delivery_survives_it(self, box, person):
        box.mark(person)
        first = box.marks()
        box.mark(person)
        box.do("finish_stale", system=SYSTEM, profile_ids=[person], marks=list(first.values()))
        second = box.marks()
        assert list(second) == [person]
        box.do("finish_stale", system=SYSTEM, profile_ids=[person], marks=list(second.values()))
        assert box.claims() == []

    def test_nobody_passes_a_transaction_that_is_still_running(self, box, ids):
        early, late = ids.uuid7(NOW), ids.uuid7(NOW)
        with box.database.transaction() as tx:
            outbox.note_changes(tx, profile_ids=[early])
            box.note(late)
            assert box.take()
            assert box.claims() == []
            assert box.count() == (1, 1)
        assert not box.take()
        assert set(box.marks()) == {early, late}

    def test_what_is_not_taken_yet_counts(self, box, ids):
        known, new = ids.uuid7(NOW), ids.uuid7(NOW)
        box.mark(known)
        box.note(known, new)
        assert box.count() == (2, 2)
        box.take()
        assert box.count() == (2, 0)

    def test_marks_everybody_also_who_is_being_delivered(self, box, ids):
        busy, quiet = ids.uuid7(NOW), ids.uuid7(NOW)
        with box.database.transaction() as tx:
            tx.execute("insert into profile.golden values (%s, 1, now()), (%s, 1, now())", [busy, quiet])
        box.mark(busy)
        delivered = box.marks()
        box.do("mark_everybody", systems=[SYSTEM])
        box.take()
        box.take(OTHER)
        box.do("finish_stale", system=SYSTEM, profile_ids=[busy], marks=list(delivered.values()))
        assert set(box.marks()) == {busy, quiet}
        assert set(box.marks(OTHER)) == {busy}

    def test_takes_more_than_one_turn_when_there_is_much(self, box, ids, monkeypatch):
        monkeypatch.setattr(outbox, "TAKE_MAX", 2)
        people = {ids.uuid7(NOW) for _ in range(5)}
        box.note(*people)
        assert [box.take(), box.take(), box.take()] == [True, True, False]
        assert set(box.marks()) == people

    def test_the_log_goes_once_all_have_taken_it(self, box, person):
        systems = [SYSTEM, OTHER]
        box.note(person)
        box.take()
        assert box.do("trim_changes", systems=systems) == 0
        box.take(OTHER)
        assert box.do("trim_changes", systems=systems) == 1
        assert box.log() == 0


class TestRecordNews:
    @pytest.mark.parametrize(
        ("agreed", "shown", "is_doubted"),
        [(7, 7, False), (7, 8, True), (7, None, True), (None, 7, True)],
    )
    def test_a_record_that_shows_something_else_is_doubted(self, box, person, agreed, shown, is_doubted):
        base = NewBase(record_id=1, fields={}, is_contested=True, shown=agreed)
        box.do("store_bases", system=SYSTEM, bases=[base], now=NOW)
        box.note(records=[RecordNews(system=SYSTEM, profile_id=person, record_id=1, shown=shown)])
        box.take(OTHER)
        box.take()
        assert box.do("get_bases", record_ids=[1])[1].is_doubted is is_doubted
        assert list(box.marks()) == ([person] if is_doubted else [])
        assert box.marks(OTHER) == {}

    def test_one_that_was_never_compared_is_marked_when_it_said_something(self, box, ids):
        told, quiet = ids.uuid7(NOW), ids.uuid7(NOW)
        box.note(
            records=[
                RecordNews(system=SYSTEM, profile_id=told, record_id=1, shown=None),
                RecordNews(system=SYSTEM, profile_id=quiet, record_id=2, shown=7),
            ]
        )
        box.take()
        assert list(box.marks()) == [told]


class TestClaimStale:
    def test_what_a_dead_worker_was_at_is_there_for_the_next(self, box, person):
        box.mark(person)
        assert len(box.claims()) == 1
        assert len(box.claims()) == 1

    def test_tells_when_the_next_mark_is_due(self, box, person):
        assert box.do("find_next_due", system=SYSTEM) is None
        later = NOW + timedelta(seconds=30)
        box.mark(person, now=later)
        assert box.do("find_next_due", system=SYSTEM) == later

    def test_what_waits_for_a_tick_goes_behind_the_rest_and_is_no_backlog(self, box, ids):
        people = [ids.uuid7(NOW) for _ in range(3)]
        tick = NOW + timedelta(hours=1)

        def hold(person):
            [claim] = [each for each in box.claims() if each.profile_id == person]
            held = {"profile_ids": [person], "marks": [claim.mark], "ticks": [tick]}
            box.do("hold_stale", system=SYSTEM, **held)

        for person in people:
            box.mark(person, lane=Lane.POINTS)
            hold(person)
        assert (box.claims(), box.do("find_next_due", system=SYSTEM)) == ([], tick)
        [count] = box.do("count_stale", systems=[SYSTEM], now=NOW)
        assert (count.waiting_count, count.held_count, count.retrying_count) == (0, 3, 0)
        box.note(people[0])
        [count] = box.do("count_stale", systems=[SYSTEM], now=NOW)
        assert (count.waiting_count, count.unread_count) == (1, 1)
        box.take(now=NOW + timedelta(minutes=1))
        [claim] = box.claims(now=NOW + timedelta(minutes=1))
        assert (claim.profile_id, claim.waiting_since) == (people[0], NOW + timedelta(minutes=1))
        with box.database.transaction() as tx:
            tx.execute("insert into profile.golden values (%s, 1, now())", [people[1]])
        box.do("mark_everybody", systems=[SYSTEM])
        box.mark(new := ids.uuid7(NOW), now=NOW + timedelta(minutes=2), lane=Lane.BACKFILL)
        claims = box.claims(now=tick)
        assert [each.profile_id for each in claims] == [people[0], people[2], people[1], new]
        assert [each.lane for each in claims] == [Lane.PROFILE, Lane.SCHEDULED, Lane.SCHEDULED, Lane.BACKFILL]
        assert claims[1].waiting_since == tick and claims[2].waiting_since == NOW + timedelta(minutes=2)
        assert [each.profile_id for each in box.claims(now=tick, count_max=2)] == [people[0], people[2]]

    def test_a_change_while_its_delivery_ends_is_not_held(self, box, person):
        box.mark(person)
        [claim] = box.claims()
        box.mark(person)
        held = {"profile_ids": [person], "marks": [claim.mark], "ticks": [NOW + timedelta(hours=1)]}
        box.do("hold_stale", system=SYSTEM, **held)
        assert [each.waiting_since for each in box.claims()] == [NOW]

    def test_systems_that_left_have_no_marks(self, box, person):
        box.mark(person)
        box.take(OTHER)
        box.do("drop_systems", kept=[OTHER])
        assert (box.marks(), list(box.marks(OTHER))) == ({}, [person])


class TestRetryAndPark:
    def test_a_retry_waits_and_counts_only_failures(self, box, person):
        box.mark(person)
        mark = box.marks()[person]
        later = NOW + timedelta(seconds=5)
        again = {"system": SYSTEM, "profile_ids": [person], "marks": [mark], "due_ats": [later]}
        box.do("retry_stale", **again, are_failures=[False])
        assert box.claims() == []
        [claim] = box.claims(now=later)
        assert claim.attempts == 0
        box.do("retry_stale", **again, are_failures=[True])
        assert box.claims(now=later)[0].attempts == 1

    def test_what_happened_meanwhile_is_not_put_off(self, box, person):
        box.mark(person)
        old = {"system": SYSTEM, "profile_ids": [person], "marks": [box.marks()[person]]}
        box.mark(person)
        later = NOW + timedelta(hours=1)
        box.do("retry_stale", **old, due_ats=[later], are_failures=[True])
        box.do("park_stale", **old, codes=["BAD"], messages=["no"], now=NOW)
        assert [claim.attempts for claim in box.claims()] == [0]

    def test_a_parked_delivery_is_listed_and_comes_back_on_replay_or_a_new_change(self, box, person):
        box.mark(person)
        for _ in range(2):
            parked = {"system": SYSTEM, "profile_ids": [person], "marks": [box.marks()[person]]}
            box.do("park_stale", **parked, codes=["BAD"], messages=["no"], now=NOW)
            assert [item.code for item in box.do("list_parked", system=None, count_max=5)] == ["BAD"]
            assert box.claims() == []
            assert box.do("replay_parked", now=NOW) == 1
            assert len(box.claims()) == 1
        parked["marks"] = [box.marks()[person]]
        box.do("park_stale", **parked, codes=["BAD"], messages=["no"], now=NOW)
        box.mark(person)
        assert len(box.claims()) == 1

    def test_only_a_parked_delivery_can_be_given_up(self, box, ids):
        waiting, parked = ids.uuid7(NOW), ids.uuid7(NOW)
        box.mark(waiting, parked)
        mark = box.marks()[parked]
        box.do("park_stale", system=SYSTEM, profile_ids=[parked], marks=[mark], codes=["BAD"], messages=["no"], now=NOW)
        assert box.do("discard_parked", system=SYSTEM, profile_ids=[waiting, parked]) == 1
        assert box.do("list_parked", system=None, count_max=5) == []
        assert list(box.marks()) == [waiting]


class TestBases:
    def test_fields_merge_and_writes_of_the_hour_are_counted(self, tx):
        for field, is_write in (("a", True), ("b", True), ("c", False)):
            base = NewBase(record_id=1, fields={field: {"sent": 1, "stored": 1}}, is_contested=is_write)
            outbox.store_bases(tx, system=SYSTEM, bases=[base], now=NOW)
        found = outbox.get_bases(tx, record_ids=[1, 2])
        assert set(found[1].fields) == {"a", "b", "c"}
        assert found[1].writes_in_hour == 2
        late = NewBase(record_id=1, fields={"d": {"sent": 1, "stored": 1}}, is_contested=True)
        outbox.store_bases(tx, system=SYSTEM, bases=[late], now=NOW + timedelta(hours=2))
        assert outbox.get_bases(tx, record_ids=[1])[1].writes_in_hour == 1

    def test_a_doubt_that_came_up_after_a_comparison_stays(self, box, person):
        box.do("store_bases", system=SYSTEM, bases=[NewBase(record_id=1, fields={}, is_contested=True)], now=NOW)
        news = RecordNews(system=SYSTEM, profile_id=person, record_id=1, shown=None)
        for _ in range(2):
            box.note(records=[news])
            box.take()
        box.do("settle_bases", record_ids=[1], settled_counts=[1])
        assert box.do("get_bases", record_ids=[1])[1].is_doubted
        box.do("settle_bases", record_ids=[1], settled_counts=[2])
        assert not box.do("get_bases", record_ids=[1])[1].is_doubted


class TestFlights:
    def test_tell_what_is_being_written_until_that_is_settled(self, tx):
        ulm, bonn, wien = ({"city": {"sent": town, "held": None}} for town in ("Ulm", "Bonn", "Wien"))
        outbox.note_flights(tx, values={1: ulm, 2: bonn})
        outbox.note_flights(tx, values={1: wien})
        assert outbox.list_flights(tx, record_ids=[1, 3]) == {1: wien}
        outbox.end_flights(tx, record_ids=[1])
        assert outbox.list_flights(tx, record_ids=[1, 2]) == {2: bonn}
