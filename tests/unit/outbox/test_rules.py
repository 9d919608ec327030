"""Three-way comparison: what was sent, what they made of it, what they hold, what we want."""

from datetime import timedelta

import pytest

from comity.outbox import rules
from comity.outbox.types import Base
from tests.conftest import NOW


def _base(**fields):
    return Base(record_id=1, fields=fields, written_at=NOW, writes_in_hour=1, hour_started_at=NOW)


def _plan(candidates, theirs, base=None, is_same=None):
    return rules.plan_fields(candidates=candidates, theirs=theirs, is_same=is_same or {}, base=base)


class TestPlanCandidates:
    def test_without_a_base_everything_is_to_be_compared(self):
        assert rules.plan_candidates({"a": 1}, None) == {"a": 1}

    def test_what_was_sent_already_is_no_candidate(self):
        base = _base(a={"sent": 1, "stored": 1}, b={"sent": 1, "stored": 1})
        assert rules.plan_candidates({"a": 1, "b": 2, "c": 3}, base) == {"b": 2, "c": 3}


class TestPlanFields:
    def test_writes_where_they_hold_something_else(self):
        plan = _plan({"city": "Ulm"}, {"city": "Bonn"})
        assert (plan.writes, plan.agreed) == ({"city": "Ulm"}, {})

    def test_writes_nothing_where_they_hold_what_we_want(self):
        plan = _plan({"city": "Ulm"}, {"city": "Ulm"})
        assert (plan.writes, plan.agreed) == ({}, {"city": "Ulm"})

    def test_same_once_normalised_is_agreed(self):
        plan = _plan({"email": "A@b.example"}, {"email": "a@b.example"}, is_same={"email": True})
        assert plan.writes == {}

    def test_does_not_repeat_what_they_cut_short(self):
        base = _base(name={"sent": "Maximiliane", "stored": "Maximi"})
        assert _plan({"name": "Maximiliane"}, {"name": "Maximi"}, base).writes == {}
        assert _plan({"name": "Maximiliane"}, {"name": "Max"}, base).writes == {"name": "Maximiliane"}

    def test_a_field_they_do_not_show_is_written(self):
        assert _plan({"tier": "Gold"}, {}).writes == {"tier": "Gold"}


class TestPlanRetry:
    def test_waits_longer_each_time_and_ends(self):
        waits = [rules.plan_retry(attempts=n, now=NOW, after_seconds=None) for n in range(rules.ATTEMPTS_MAX)]
        assert waits[-1] is None
        times = waits[:-1]
        assert times == sorted(times)

    def test_is_never_earlier_than_asked(self):
        assert rules.plan_retry(attempts=0, now=NOW, after_seconds=90) == NOW + timedelta(seconds=90)


class TestIsContested:
    @pytest.mark.parametrize(
        ("sent", "stored", "theirs", "is_contested"),
        [
            (5, 5, 5, False),
            ("Ulm", "ULM", "ULM", False),
            ("Ulm", "Ulm", "Theirs", True),
            ("Ulm", "Theirs", "Theirs", True),
        ],
    )
    def test_what_somebody_put_there_after_us(self, sent, stored, theirs, is_contested):
        base = Base(
            record_id=1,
            fields={"City": {"sent": sent, "stored": stored}},
            written_at=NOW,
            writes_in_hour=0,
            hour_started_at=NOW,
        )
        assert rules.is_contested({"City": "Bonn"}, theirs={"City": theirs}, base=base) is is_contested

    def test_nothing_is_that_was_never_sent(self):
        assert not rules.is_contested({"City": "Bonn"}, theirs={"City": "Ulm"}, base=None)


class TestIsPingPong:
    def test_only_within_the_hour(self):
        busy = Base(
            record_id=1, fields={}, written_at=NOW, writes_in_hour=rules.WRITES_IN_HOUR_MAX, hour_started_at=NOW
        )
        assert rules.is_ping_pong(busy, now=NOW)
        assert not rules.is_ping_pong(busy, now=NOW + timedelta(hours=2))
        assert not rules.is_ping_pong(None, now=NOW)


class TestOwnForm:
    @pytest.mark.parametrize(
        ("sent", "stored"),
        [
            ("Ada@B.example", "ada@b.example"),
            (" Ulm ", "Ulm"),
            ("Maximiliane", "Maximi"),
            ("+49 30 123", "+4930123"),
            ("x", None),
            (None, "default"),
            (12.4, 12),
        ],
    )
    def test_a_system_may_have_made_it(self, sent, stored):
        assert rules.is_own_form(sent, stored)

    @pytest.mark.parametrize(("sent", "stored"), [("Ulm", "Bonn"), ("Ulm", "Ulmen"), (12, 15), ("a", "?")])
    def test_somebody_else_put_it_there(self, sent, stored):
        assert not rules.is_own_form(sent, stored)

    def test_a_doubted_record_is_compared_as_a_whole(self):
        base = Base(
            record_id=1,
            fields={"a": {"sent": 1, "stored": 1}},
            written_at=NOW,
            writes_in_hour=1,
            hour_started_at=NOW,
            doubted_count=2,
            settled_count=1,
        )
        assert rules.plan_candidates({"a": 1}, base) == {"a": 1}
