"""People who were merged by mistake are parted, and the history of merges."""

from uuid import uuid4

import pytest

from tests.scenario.rehearsal import eventually


@pytest.fixture(scope="module")
def steward(desk):
    return desk.make_named_key("Grace", "steward")


@pytest.fixture(scope="module")
def twins(desk):
    """One person of two records that are two people's."""
    email = f"{uuid4().hex}@twins.example"
    for _ in range(2):
        desk.join_as("Ada", email=email, last="Byron")
    return eventually(lambda: _find(desk, email), seconds=40, what="two records are one person")


def _find(desk, email):
    answer = desk.http.get("/v1/profiles", params={"key": email})
    return answer.json() if answer.is_success and len(answer.json()["records"]) == 2 else None


def _unmerge(desk, key, global_id, **body):
    return desk.call("POST", f"/v1/profiles/{global_id}/unmerge", key=key, json=body)


def _name(record):
    return f"{record['system']}/{record['stream']}/{record['external_id']}"


def test_parts_and_says_who_decided_and_why(desk, steward, twins):
    global_id, record = twins["global_id"], _name(twins["records"][1])
    told = _unmerge(desk, steward, global_id, records=[record], reason="twins")
    assert told.status_code == 200, told.text
    assert told.json() == {
        "global_id": global_id, "parted_global_id": told.json()["parted_global_id"], "records": [record],
        "decided_by": "Grace", "reason": "twins", "is_duplicate": False,
    }  # fmt: skip
    other = told.json()["parted_global_id"]
    assert desk.http.get("/v1/profiles", params={"key": record}).json()["global_id"] == other != global_id
    assert _unmerge(desk, steward, global_id, records=[record], reason="twins").json()["is_duplicate"] is True
    notes = desk.http.get(f"/v1/profiles/{global_id}/merges").json()
    assert [(each["is_merge"], each["profile_id"], each["actor"], each["reason"]) for each in notes][-1:] == [
        (False, other, "Grace", "twins")
    ]
    after = notes[-1]["history_id"]
    assert desk.http.get(f"/v1/profiles/{global_id}/merges", params={"after": after}).json() == []
    alone = _unmerge(desk, steward, global_id, records=[_name(twins["records"][0])], reason="?")
    assert (alone.status_code, alone.json()["code"]) == (409, "nothing_to_unmerge"), alone.text


@pytest.mark.parametrize(
    ("records", "code", "says"),
    [
        (["crm/customer/nobody"], "record_unknown", "crm/customer/nobody"),
        (["nobody"], "record_key_malformed", "system/stream/external-id"),
    ],
)
def test_refuses_what_names_no_record(desk, steward, twins, records, code, says):
    answer = _unmerge(desk, steward, twins["global_id"], records=records, reason="twins")
    assert (answer.json()["code"], answer.status_code) in {(code, 404), (code, 422)}, answer.text
    assert says in answer.text


def test_refuses_bodies_and_people_that_are_none(desk, steward, twins):
    assert _unmerge(desk, steward, twins["global_id"], records=[], reason="twins").status_code == 400
    assert _unmerge(desk, steward, twins["global_id"], records=["a/b/c"], reason="").status_code == 400
    assert _unmerge(desk, steward, uuid4(), records=["a/b/c"], reason="x").json()["code"] == "person_not_found"
    assert desk.http.get(f"/v1/profiles/{uuid4()}/merges").json()["code"] == "person_not_found"
