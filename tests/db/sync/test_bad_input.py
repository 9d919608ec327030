"""What cannot be used is set aside with place, reason and remedy; nothing stops; once put right, a replay works."""

import pytest

from comity.inbox import api as inbox
from comity.inbox.types import NewChange

TILL = """
kind: system
name: till
spec:
  connector: rest
  settings: {{base_url: "http://127.0.0.1:9", streams: {{guest: {{}}, receipt: {{}}}}}}
  streams: {{guest: {{}}, receipt: {{}}}}
---
kind: mapping
name: till-guest
spec:
  system: till
  stream: guest
  kind: person
  external_id: id
  changed_at: at
  fields:
    - {{attribute: email, field: mail, lens: email, direction: read}}
    - {{attribute: given_name, field: name, lens: text, direction: read}}
    - {{attribute: birth_date, field: born, lens: {lens}, direction: read}}
---
kind: mapping
name: till-receipt
spec:
  system: till
  stream: receipt
  kind: purchase
  external_id: number
  fields:
    business_key: number
    occurred_at: at
    amount: {{field: total, lens: {{money: {{currency_field: currency}}}}}}
    currency: currency
    person: guest
    person_system: till
    person_stream: guest
"""

GOOD = {"id": "good", "mail": "good@x.example", "name": "Good"}
ISO, GERMAN = '{date: {format: "%Y-%m-%d"}}', '{date: {format: "%d.%m.%Y"}}'  # fmt: skip


@pytest.fixture
def till(stage):
    stage.write(till=TILL.format(lens=ISO))
    stage.apply()
    return stage


def _parked(stage):
    with stage.database.transaction() as tx:
        return inbox.list_parked(tx)


def _replay(stage):
    with stage.database.transaction() as tx:
        replayed = inbox.replay_parked(tx, now=stage.clock.now())
    stage.unify()
    return len(replayed)


def _goes_on(stage):
    stage.push("till", "guest", "good", "v1", GOOD)
    found = stage.query("select given_name from profile.golden where email = 'good@x.example'")
    assert found == [("Good",)]
    return True


class TestValues:
    @pytest.mark.parametrize(
        ("data", "field"),
        [
            ({"id": "1", "mail": "no address", "name": "A"}, "mail"),
            ({"id": "1", "mail": {"a": 1}, "name": "A"}, "mail"),
            ({"id": "1", "mail": "a@x.example", "name": ["A"]}, "name"),
            ({"id": "1", "mail": "a@x.example", "born": "31.12.1990"}, "born"),
            ({"id": "1", "mail": "a@x.example", "born": "9999999999"}, "born"),
            ({"id": "1", "mail": "a@x.example", "at": "yesterday"}, "at"),
        ],
    )
    def test_a_value_that_cannot_be_read_is_told_with_its_field(self, till, data, field):
        till.push("till", "guest", "1", "v1", data)
        [item] = _parked(till)
        assert item.field == field
        assert item.remedy
        assert item.message.startswith("Found ")
        assert _goes_on(till)

    @pytest.mark.parametrize("payload", [b"{", b"[]", b"null", b'"x"', b"\xff\xfe{}", b"[" * 5000])
    def test_a_payload_that_is_no_record(self, till, payload):
        till.push("till", "guest", "1", "v1", payload)
        [item] = _parked(till)
        assert item.remedy
        assert _goes_on(till)

    @pytest.mark.parametrize(
        "data",
        [
            {"number": "r1", "at": "2026-01-01T00:00:00Z", "total": "1.234,5", "currency": "EUR", "guest": "1"},
            {"number": "r1", "at": "2026-01-01T00:00:00Z", "total": 1e40, "currency": "EUR", "guest": "1"},
            {"number": "r1", "at": "2026-01-01T00:00:00Z", "total": 5, "currency": "euro coins", "guest": "1"},
            {"number": "r1", "at": "0000-01-01", "total": 5, "currency": "EUR", "guest": "1"},
        ],
    )
    def test_a_purchase_that_cannot_be_read_is_no_purchase(self, till, data):
        till.push("till", "receipt", "r1", "v1", data)
        assert len(_parked(till)) == 1
        assert till.query("select count(*) from activity.purchase") == [(0,)]
        assert _goes_on(till)


class TestTwoIds:
    """The envelope says one id, the payload another: whichever was believed, something would be counted wrongly."""

    def test_is_set_aside_with_both_and_counts_once_put_right(self, till):
        data = {"number": "r7", "at": "2026-01-01T00:00:00Z", "total": 5, "currency": "EUR", "guest": "1"}
        till.push("till", "receipt", "r6", "v1", data)
        [item] = _parked(till)
        assert (item.code, item.field) == ("id_differs", "number")
        assert "r6" in item.message and "r7" in item.message
        assert till.query("select count(*) from activity.purchase") == [(0,)]
        till.push("till", "receipt", "r7", "v1", data)
        assert till.query("select business_key from activity.purchase") == [("r7",)]

    def test_one_that_stands_only_in_the_envelope_will_do(self, till):
        till.push("till", "guest", "7", "v1", {"mail": "a@x.example", "name": "Ada"})
        assert till.query("select given_name from profile.golden") == [("Ada",)]


class TestNul:
    """PostgreSQL takes no NUL in text."""

    @pytest.mark.parametrize(
        "data",
        [
            {"id": "1", "mail": "a@x.example", "name": "A\u0000B"},
            {"id": "1", "mail": "a\u0000@x.example", "name": "AB"},
            {"id": "\u0000", "mail": "a@x.example", "name": "AB", "more\u0000": "\u0000"},
        ],
    )
    def test_is_left_out_of_a_persons_values(self, till, data):
        till.push("till", "guest", "1", "v1", data)
        assert till.query("select email, given_name from profile.golden") == [("a@x.example", "AB")]
        assert _goes_on(till)

    def test_is_left_out_of_a_purchases_values(self, till):
        data = {"number": "r\u00001", "at": "2026-01-01T00:00:00Z", "total": 5, "currency": "EUR\u0000", "guest": "1"}
        till.push("till", "receipt", "r1", "v1", data)
        assert till.query("select count(*) from activity.purchase")[0][0] + len(_parked(till)) == 1
        assert _goes_on(till)


class TestSizes:
    @pytest.mark.parametrize("field", ["mail", "name"])
    def test_five_megabytes_in_a_field_stop_nobody(self, till, field):
        data = {"id": "1", "mail": "a@x.example", "name": "A", field: "x" * 5_000_000}
        till.push("till", "guest", "1", "v1", data)
        assert _goes_on(till)
        till.settle()

    def test_a_batch_with_one_bad_record_takes_all_others(self, till):
        with till.database.transaction() as tx:
            changes = [
                NewChange(
                    system="till",
                    stream="guest",
                    external_id=str(number),
                    version="v1",
                    payload=b'{"id": "%d", "mail": "p%d@x.example", "name": "%s"}'
                    % (number, number, b"N" * 100_000 if number == 13 else b"N"),
                )
                for number in range(40)
            ]
            inbox.accept_changes(tx, changes=changes, now=till.clock.now())
        till.unify()
        count = till.query("select count(*) from profile.golden")[0][0]
        assert count >= 39
        assert count + len(_parked(till)) >= 40


class TestReplay:
    def test_works_once_the_mapping_is_put_right(self, till):
        till.push("till", "guest", "1", "v1", {"id": "1", "mail": "a@x.example", "born": "31.12.1990"})
        assert till.query("select birth_date from profile.golden") == [(None,)]
        till.write(till=TILL.format(lens=GERMAN))
        till.apply()
        assert _replay(till) == 1
        assert _parked(till) == []
        assert str(till.query("select birth_date from profile.golden")[0][0]) == "1990-12-31"

    def test_a_stream_nobody_mapped_waits_for_its_mapping(self, stage):
        stage.push("till", "guest", "1", "v1", {"id": "1", "mail": "a@x.example"})
        [item] = _parked(stage)
        assert item.code == "stream_unmapped"
        assert "Apply a mapping" in item.remedy
        stage.write(till=TILL.format(lens=ISO))
        stage.apply()
        assert _replay(stage) == 1
        assert stage.query("select email from profile.golden") == [("a@x.example",)]
        assert _parked(stage) == []

    def test_a_corrected_record_closes_what_was_parked_of_it(self, till):
        till.push("till", "guest", "1", "v1", {"id": "1", "mail": "a@x.example", "born": "31.12.1990"})
        till.push("till", "guest", "2", "v1", {"id": "2", "mail": "b@x.example", "born": "31.12.1991"})
        till.push("till", "guest", "1", "v2", {"id": "1", "mail": "a@x.example", "born": "1990-12-31"})
        assert [item.external_id for item in _parked(till)] == ["2"]

    def test_a_replay_of_what_is_still_bad_parks_it_again(self, till):
        till.push("till", "guest", "1", "v1", {"id": "1", "mail": "no address"})
        assert _replay(till) == 1
        assert len(_parked(till)) == 1


class TestUnusable:
    """Something no check foresaw: here a trigger that refuses what a person is called."""

    def test_a_change_that_fails_whatever_is_tried_is_found_and_set_aside(self, till):
        with till.database.transaction() as tx:
            tx.execute(
                "create function profile.refuse() returns trigger language plpgsql as "
                "$$ begin raise exception using errcode = 'data_exception', message = 'cannot be stored'; end $$"
            )
            tx.execute(
                "create trigger refuse before insert or update on profile.observation for each row "
                "when (new.given_name = 'Unusable') execute function profile.refuse()"
            )
            changes = [
                NewChange(
                    system="till",
                    stream="guest",
                    external_id=str(number),
                    version="v1",
                    payload=b'{"id": "%d", "mail": "p%d@x.example", "name": "%s"}'
                    % (number, number, b"Unusable" if number in {3, 17} else b"Fine"),
                )
                for number in range(20)
            ]
            inbox.accept_changes(tx, changes=changes, now=till.clock.now())
        till.unify()
        assert till.query("select count(*) from profile.golden") == [(18,)]
        assert [(item.external_id, item.code) for item in _parked(till)] == [("17", "unusable"), ("3", "unusable")]
        assert "cannot be stored" in _parked(till)[0].message
        with till.database.transaction() as tx:
            tx.execute("drop trigger refuse on profile.observation")
        assert _replay(till) == 2
        assert till.query("select count(*) from profile.golden") == [(20,)]
