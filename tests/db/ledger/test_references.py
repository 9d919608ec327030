"""What a redemption is in the accounts outside: kept with the transfer, told wherever that is told, sealed."""

import json
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest

from comity.ledger import api
from comity.ledger.types import Capture, NewHold, PostingStatus
from tests.db.ledger.test_books import open_books, post

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY = date(2026, 3, 9)
SOURCE = {"system": "shop", "external_id": "1", "effective_on": DAY}


def capture(tx, programme, ada, *, amount):
    hold = NewHold(
        idempotency_key="h", account_id=ada, amount=10, deadline_at=NOW + timedelta(hours=1), **SOURCE
    )  # fmt: skip
    [held] = api.reserve(tx, holds=[hold], now=NOW)
    wish = Capture(
        idempotency_key="c", hold_id=held.transfer_id, credit_account_id=programme, amount=amount,
        reference="journal 7", **SOURCE,
    )  # fmt: skip
    return api.capture(tx, captures=[wish], now=NOW)[0]


class TestReferences:
    def test_are_told_with_the_transfer(self, tx):
        programme, ada, _ = open_books(tx)
        lot = post(tx, "a", programme, ada, 50, DAY).transfer_id
        spent = post(tx, "b", ada, programme, 20, DAY, reference="SAP 4900001").transfer_id
        again = post(tx, "b", ada, programme, 20, DAY, reference="SAP 4900001")
        assert (again.status, again.transfer_id) == (PostingStatus.DUPLICATE, spent)
        ended = capture(tx, programme, ada, amount=4)
        story = api.trace(tx, transfer_id=lot)
        found = {line.transfer_id: line.reference for line in story.lines if line.account_id == ada}
        assert (found[lot], found[spent]) == (None, "SAP 4900001")
        told = {line.transfer_id: line.reference for line in api.list_entries(tx, account_id=programme)}
        assert told[ended.capture_transfer_id] == "journal 7"
        assert api.get_transfer(tx, transfer_id=ended.capture_transfer_id).reference == "journal 7"
        # What went back to the member is nothing in the accounts outside.
        assert api.get_transfer(tx, transfer_id=ended.release_transfer_id).reference is None

    def test_cannot_be_changed(self, tx):
        programme, ada, _ = open_books(tx)
        post(tx, "a", programme, ada, 50, DAY, reference="one")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            tx.execute("update ledger.reference set reference = 'other'")

    def test_are_sealed(self, database):
        with database.transaction() as tx:
            programme, ada, _ = open_books(tx)
            post(tx, "a", programme, ada, 50, DAY, reference="one")
        for _ in range(2):
            with database.transaction() as tx:
                api.seal(tx, now=NOW)
        with database.transaction() as tx:
            lines = list(api.export(tx))
            assert api.verify(tx).problems == []
        assert [each["reference"] for each in map(json.loads, lines) if each.get("note") == "reference"] == ["one"]
        assert api.check_export(lines).problems == []
        assert api.check_export([each.replace('"one"', '"two"') for each in lines]).problems != []
