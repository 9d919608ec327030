"""Visits over HTTP: each once, of a Global ID or a record."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.contract.rest.test_holds import refused


def visit(desk, **body):
    return desk.http.post("/v1/visits", json={"number": uuid4().hex} | body)


@pytest.fixture(scope="module")
def member(desk):
    return desk.join()


def test_counts_once_and_needs_no_time(desk, member):
    number = uuid4().hex
    first, second = (visit(desk, number=number, global_id=member) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200), second.text
    assert {**second.json(), "is_duplicate": False} == first.json()
    assert (first.json()["global_id"], first.json()["number"]) == (member, number)
    early = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    refused(visit(desk, number=number, global_id=member, occurred_at=early), status=409, code="key_reused")
    refused(visit(desk, number=number, global_id=desk.join()), status=409, code="key_reused")


def test_of_a_record_is_its_persons(desk, member):
    [record, *_] = desk.http.get(f"/v1/profiles/{member}").json()["records"]
    key = "/".join(record[name] for name in ("system", "stream", "external_id"))
    assert visit(desk, record=key).json()["global_id"] == member


def test_of_nobody_of_both_of_later_or_without_the_scope(desk, member):
    refused(visit(desk, global_id=str(uuid4())), status=404, code="unknown_member")
    refused(visit(desk), status=422, code="visit_invalid")
    refused(visit(desk, global_id=member, record="crm/customer/1"), status=422, code="visit_invalid")
    later = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    refused(visit(desk, global_id=member, occurred_at=later), status=422, code="visit_invalid")
    body = {"global_id": member, "number": "1"}
    assert desk.call("POST", "/v1/visits", key=desk.make_key("redeem"), json=body).status_code == 403
