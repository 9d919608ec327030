"""The inbox stores once, keeps order, parks with reasons and replays."""

from datetime import timedelta

import msgspec
import pytest

from comity.inbox import api as inbox
from comity.inbox.types import NewChange, ParkedChange
from comity.kernel.readers import Position
from tests.conftest import NOW


def _change(external_id="1", version="v1", payload=b"{}"):
    return NewChange(system="crm", stream="Contact", external_id=external_id, version=version, payload=payload)


def _read(database, position=None, count_max=100):
    with database.transaction() as tx:
        return inbox.read_changes(tx, position=position or Position(), count_max=count_max)


class TestAcceptChanges:
    def test_a_version_counts_once_within_a_batch_and_over_batches(self, database):
        with database.transaction() as tx:
            assert len(inbox.accept_changes(tx, changes=[_change(), _change(), _change(version="v2")], now=NOW)) == 2
        with database.transaction() as tx:
            new = inbox.accept_changes(tx, changes=[_change(), _change(version="v3")], now=NOW)
        assert new == {("crm", "Contact", "1", "v3")}
        assert [change.version for change in _read(database).changes] == ["v1", "v2", "v3"]

    def test_wakes_whoever_listens_once_a_batch_and_not_for_what_is_known(self, database):
        with database.connect() as listener:
            listener.execute(f"listen {inbox.INBOX_CHANNEL}")
            for versions in (["v1", "v2"], ["v1"], ["v2", "v3"]):
                with database.transaction() as tx:
                    inbox.accept_changes(tx, changes=[_change(version=each) for each in versions], now=NOW)
            with database.transaction() as tx:
                tx.execute(f"notify {inbox.INBOX_CHANNEL}, 'last'")
            heard = []
            for each in listener.notifies(timeout=30):
                heard.append(each.payload)
                if each.payload == "last":
                    break
        assert heard == ["", "", "last"]

    def test_keeps_the_raw_bytes(self, database):
        raw = b'{"Name": "Jos\xc3\xa9",  "n": 1.10}'
        with database.transaction() as tx:
            inbox.accept_changes(tx, changes=[_change(payload=raw)], now=NOW)
        assert _read(database).changes[0].payload == raw

    def test_a_key_that_cannot_be_stored_stops_nobody(self, database):
        odd = [
            _change(external_id="a\x00b"),
            _change(external_id="c\x1ed"),
            _change(external_id="x" * 5000),
            _change(external_id="x" * 5001),
            _change(),
        ]
        with database.transaction() as tx:
            inbox.accept_changes(tx, changes=odd, now=NOW)
        stored = {change.external_id for change in _read(database).changes}
        assert {"a\ufffdb", "c\ufffdd", "1"} < stored
        assert len(stored) == 5

    def test_pages_are_full_until_the_end(self, database):
        with database.transaction() as tx:
            inbox.accept_changes(tx, changes=[_change(version=str(n)) for n in range(25)], now=NOW)
        seen, position = [], Position()
        for _ in range(4):
            batch = _read(database, position, count_max=10)
            seen += [change.version for change in batch.changes]
            position = batch.end
        assert seen == [str(n) for n in range(25)]


class TestListUnread:
    def test_tells_what_a_reader_has_not_passed(self, database):
        with database.transaction() as tx:
            inbox.accept_changes(tx, changes=[_change(version="old")], now=NOW)
        position = _read(database).end
        with database.transaction() as tx:
            inbox.accept_changes(tx, changes=[_change(version="new")], now=NOW)
        with database.transaction() as tx:
            unread = inbox.list_unread(
                tx,
                changes=[_change(version="old"), _change(version="new"), _change(version="never")],
                position=position,
            )
        assert unread == {1}


class TestPark:
    def test_a_parked_change_shows_place_and_remedy_and_can_be_replayed_once(self, database):
        with database.transaction() as tx:
            inbox.accept_changes(tx, changes=[_change(payload=b'{"Email": 5}')], now=NOW)
        change_id = _read(database).changes[0].change_id
        parked = ParkedChange(
            change_id=change_id, code="not_text", field="Email", message="Found 5.", remedy="Send text."
        )
        with database.transaction() as tx:
            inbox.park_changes(tx, parked=[parked, parked], now=NOW)
        with database.transaction() as tx:
            [item] = inbox.list_parked(tx)
            assert (item.field, item.remedy, item.payload_excerpt) == ("Email", "Send text.", '{"Email": 5}')
            assert inbox.count_parked(tx) == {"crm": 1}
            assert inbox.replay_parked(tx, now=NOW) == [change_id]
            assert inbox.replay_parked(tx, now=NOW) == []
            assert inbox.list_parked(tx) == []
        assert len(_read(database).changes) == 2

    def test_a_newer_change_closes_it_and_is_named(self, database):
        bad, good = (_change(version=version) for version in ("bad", "good"))
        with database.transaction() as tx:
            inbox.accept_changes(tx, changes=[bad, _change(external_id="2")], now=NOW)
        parked = [ParkedChange(change_id=change.change_id, code="x", message="m") for change in _read(database).changes]
        with database.transaction() as tx:
            inbox.park_changes(tx, parked=parked, now=NOW)
            inbox.accept_changes(tx, changes=[good], now=NOW)
        [change] = [each for each in _read(database).changes if each.version == "good"]
        with database.transaction() as tx:
            assert inbox.close_superseded(tx, change_ids=[change.change_id], now=NOW) == 1
            assert inbox.close_superseded(tx, change_ids=[change.change_id], now=NOW) == 0
            assert [item.external_id for item in inbox.list_parked(tx)] == ["2"]
            [item] = inbox.list_parked(tx, is_closed=True)
            assert (item.version, item.closed_by) == ("bad", f"change {change.change_id}")
            assert inbox.replay_parked(tx, system="other", now=NOW) == []

    @pytest.mark.parametrize(
        ("old", "new", "is_closed"),
        [
            (b'{"mail": 5}', b'{"mail": "a@x.example"}', True),
            (b'{"mail": 5}', b'{"name": "Ada"}', False),
            (b'{"name": "Ada"}', b'{"name": "Eve"}', True),
        ],
    )
    def test_one_without_the_field_that_was_wrong_leaves_it_open(self, database, old, new, is_closed):
        with database.transaction() as tx:
            inbox.accept_changes(tx, changes=[_change(payload=old), _change(version="v2", payload=new)], now=NOW)
        first, second = _read(database).changes
        parked = ParkedChange(change_id=first.change_id, code="x", field="contact.mail", message="m")
        with database.transaction() as tx:
            inbox.park_changes(tx, parked=[parked], now=NOW)
            assert inbox.close_superseded(tx, change_ids=[second.change_id], now=NOW) == is_closed

    def test_a_version_that_is_only_late_closes_nothing(self, database):
        bad, late = (
            msgspec.structs.replace(_change(version=version), source_at=NOW - timedelta(minutes=minutes))
            for version, minutes in (("bad", 1), ("late", 5))
        )
        with database.transaction() as tx:
            inbox.accept_changes(tx, changes=[bad, late], now=NOW)
        first, second = _read(database).changes
        with database.transaction() as tx:
            inbox.park_changes(tx, parked=[ParkedChange(change_id=first.change_id, code="x", message="m")], now=NOW)
            assert inbox.close_superseded(tx, change_ids=[second.change_id], now=NOW) == 0

    def test_a_discarded_change_stays_in_the_log_and_leaves_the_list(self, database):
        with database.transaction() as tx:
            inbox.accept_changes(tx, changes=[_change()], now=NOW)
        change_id = _read(database).changes[0].change_id
        with database.transaction() as tx:
            inbox.park_changes(tx, parked=[ParkedChange(change_id=change_id, code="x", message="m")], now=NOW)
            assert inbox.discard_parked(tx, change_ids=[change_id], actor="steward", now=NOW) == [change_id]
            assert inbox.replay_parked(tx, now=NOW) == []
