"""Answers of Salesforce written down from its documentation, for what a simulated organisation does not show."""

import json

import pytest

from comity.connect.opening import open_connector
from comity.connect.types import ChangeKind, Outcome, WriteItem
from comity.connectors.salesforce.spec import SPEC

DELETED_NONE = {"deletedRecords": [], "latestDateCovered": "2026-11-21T12:00:00.000+0000"}


def row(record_id, stamp, **fields):
    return {"attributes": {"type": "Contact"}, "Id": record_id, "SystemModstamp": stamp, "LastName": "X", **fields}


def rows(*found, **more):
    return {"totalSize": len(found), "done": True, "records": list(found), **more}


class Organisation:
    """Answers queries with what was put there; keeps the queries."""

    def __init__(self, answer):
        self.answer = answer
        self.queries = []
        self.records = []
        self.deleted = lambda _params: self.answer(DELETED_NONE)

    def __call__(self, _method, url, options):
        if "/deleted/" in url:
            return self.deleted(options["params"])
        self.queries.append(options["params"]["q"])
        return self.answer(rows(*self.records))


@pytest.fixture
def organisation(answer):
    return Organisation(answer)


@pytest.fixture
def connector(scripted, organisation, clock):
    return open_connector(
        SPEC,
        settings={"instance_url": "https://x.example"},
        secrets={"token": "t"},
        clock=clock,
        egress=scripted(organisation),
    )


def poll(connector, cursor):
    pages = list(connector.read("Contact", cursor, fields=["LastName"]))
    return [c for page in pages for c in page.changes], pages[-1].cursor


class TestOverlap:
    def test_a_row_committed_late_is_found(self, connector, organisation, clock):
        """A long transaction ends after polling went past its rows' stamp."""
        organisation.records = [row("003b", "2026-11-21T11:59:50.000+0000")]
        first, cursor = poll(connector, None)
        clock.advance(seconds=90)
        organisation.records.insert(0, row("003a", "2026-11-21T11:55:00.000+0000"))
        second, cursor = poll(connector, cursor)
        third, _ = poll(connector, cursor)
        assert "SystemModstamp >= 2026-11-21T11:50:00Z" in organisation.queries[1]
        assert [c.external_id for c in first + second + third] == ["003b", "003a"]

    def test_a_row_committed_late_is_found_after_a_pause(self, connector, organisation, clock):
        """The overlap is counted from the end of the last pass, not from now."""
        organisation.records = [row("003b", "2026-11-21T11:59:50.000+0000")]
        _, cursor = poll(connector, None)
        clock.advance(seconds=7200)
        poll(connector, cursor)
        assert "SystemModstamp >= 2026-11-21T11:50:00Z" in organisation.queries[1]

    def test_old_rows_are_not_read_again(self, connector, organisation, clock):
        """What changed last lies months back: polling goes on just after it."""
        organisation.records = [row("003b", "2026-03-01T08:00:00.000+0000")]
        _, cursor = poll(connector, None)
        clock.advance(seconds=90)
        organisation.records = []
        poll(connector, cursor)
        assert "(SystemModstamp = 2026-03-01T08:00:00Z AND Id > '003b')" in organisation.queries[1]

    def test_polls_in_between_reach_back_a_little(self, connector, organisation, clock):
        organisation.records = [row("003b", "2026-11-21T11:59:58.000+0000")]
        _, cursor = poll(connector, None)
        clock.advance(seconds=5)
        poll(connector, cursor)
        assert "SystemModstamp >= 2026-11-21T11:59:50Z" in organisation.queries[1]


def test_follows_short_pages(scripted, answer, clock):
    """Wide rows come in fewer than asked for, with a link to the rest."""
    link = "/services/data/v66.0/query/01g-2000"
    script = [
        answer(rows(row("003a", "2026-11-21T11:00:00.000+0000"), done=False, nextRecordsUrl=link)),
        answer(rows(row("003b", "2026-11-21T11:00:00.000+0000"))),
        answer(DELETED_NONE),
    ]
    egress = scripted(script)
    connector = open_connector(
        SPEC, settings={"instance_url": "https://x.example"}, secrets={"token": "t"}, clock=clock, egress=egress
    )
    changes, _ = poll(connector, None)
    assert [c.external_id for c in changes] == ["003a", "003b"]
    assert egress.calls[1][1] == f"https://x.example{link}"


def test_related_records_come_without_attributes(connector, organisation):
    account = {"attributes": {"type": "Account"}, "Name": "House"}
    organisation.records = [row("003a", "2026-11-21T11:00:00.000+0000", Account=account)]
    change = next(iter(connector.read("Contact", None, fields=["Account.Name"]))).changes[0]
    assert json.loads(change.payload)["Account"] == {"Name": "House"}


def test_too_many_deletions_are_asked_for_in_halves(connector, organisation, answer, clock):
    spans = []

    def deleted(params):
        spans.append((params["start"], params["end"]))
        if len(spans) < 3:
            return answer([{"message": "too many", "errorCode": "EXCEEDED_ID_LIMIT"}], 400)
        gone = {"id": "003z", "deletedDate": "2026-11-21T12:10:00.000+0000"}
        return answer({"deletedRecords": [gone], "latestDateCovered": "2026-11-21T12:30:00.000+0000"})

    organisation.deleted = lambda _params: organisation.answer(DELETED_NONE)
    _, cursor = poll(connector, None)
    organisation.deleted = deleted
    clock.advance(seconds=7200)
    changes, _ = poll(connector, cursor)
    assert [(c.external_id, c.kind) for c in changes] == [("003z", ChangeKind.DELETE)]
    assert len({start for start, _ in spans}) == 1
    assert spans[0][1] > spans[1][1] > spans[2][1]


@pytest.fixture
def write_one(scripted, answer, clock):
    def write(error):
        egress = scripted([answer([{"success": False, "errors": [error]}])])
        connector = open_connector(
            SPEC, settings={"instance_url": "https://x.example"}, secrets={"token": "t"}, clock=clock, egress=egress
        )
        return connector.write("Contact", [WriteItem(key="k", external_id="003a", fields={"LastName": "Y"})])[0]

    return write


@pytest.mark.parametrize(
    ("error", "outcome", "external_id"),
    [
        (
            {
                "statusCode": "DUPLICATES_DETECTED",
                "message": "Use one of these records?",
                "duplicateResult": {"matchResults": [{"matchRecords": [{"record": {"Id": "003dup"}}]}]},
            },
            Outcome.CONFLICT,
            "003dup",
        ),
        ({"statusCode": "ENTITY_IS_DELETED", "message": "entity is deleted"}, Outcome.GONE, "003a"),
        ({"statusCode": "INVALID_CROSS_REFERENCE_KEY", "message": "invalid"}, Outcome.GONE, "003a"),
        (
            {"statusCode": "INVALID_CROSS_REFERENCE_KEY", "message": "invalid", "fields": ["AccountId"]},
            Outcome.REJECTED,
            "003a",
        ),
        ({"statusCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit"}, Outcome.RETRY, "003a"),
        ({"statusCode": "SOMETHING_NEW", "message": "who knows"}, Outcome.REJECTED, "003a"),
    ],
)
def test_row_errors(write_one, error, outcome, external_id):
    verdict = write_one(error)
    assert (verdict.outcome, verdict.external_id) == (outcome, external_id)
    assert verdict.reason_code == error["statusCode"]
