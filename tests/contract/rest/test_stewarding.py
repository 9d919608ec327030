"""People are merged and parted by decision; the history of merges, and what waits for a decision."""

from functools import partial
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


def _find_id(desk, record):
    answer = desk.http.get("/v1/profiles", params={"key": record})
    return answer.json()["global_id"] if answer.is_success else None


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
    assert _unmerge(desk, steward, twins["global_id"], records=[], reason="twins").status_code == 422
    assert _unmerge(desk, steward, twins["global_id"], records=["a/b/c"], reason="").status_code == 422
    assert _unmerge(desk, steward, uuid4(), records=["a/b/c"], reason="x").json()["code"] == "person_not_found"
    assert desk.http.get(f"/v1/profiles/{uuid4()}/merges").json()["code"] == "person_not_found"


class TestMerge:
    def test_joins_and_the_older_global_id_stays(self, desk, steward):
        records = [f"crm/customer/{desk.join_as('Ada', email=f'{uuid4().hex}@two.example')}" for _ in range(2)]
        ids = [eventually(partial(_find_id, desk, each), seconds=40, what=each) for each in records]
        told = desk.call(
            "POST", f"/v1/profiles/{ids[1]}/merge", key=steward, json={"others": [ids[0]], "reason": "one"}
        )
        assert told.status_code == 200, told.text
        assert told.json() == {
            "global_id": min(ids), "merged_global_ids": [max(ids)],
            "decided_by": "Grace", "reason": "one", "is_duplicate": False,
        }  # fmt: skip
        assert desk.http.get(f"/v1/profiles/{max(ids)}").json()["global_id"] == min(ids)
        again = desk.call(
            "POST", f"/v1/profiles/{ids[0]}/merge", key=steward, json={"others": [ids[1]], "reason": "one"}
        )
        assert (again.json()["is_duplicate"], again.json()["merged_global_ids"]) == (True, [])
        told = desk.http.get("/v1/links", params={"record_a": records[0], "record_b": records[1]}).json()
        assert told["is_same"] and told["decision"] == "same (steward): one"
        parted = _unmerge(desk, steward, min(ids), records=[records[ids.index(max(ids))]], reason="no")
        assert parted.json()["parted_global_id"] == max(ids)

    def test_knows_everybody_named_or_does_nothing(self, desk, steward, twins):
        path = f"/v1/profiles/{twins['global_id']}/merge"
        answer = desk.call("POST", path, key=steward, json={"others": [str(uuid4())], "reason": "x"})
        assert (answer.status_code, answer.json()["code"]) == (404, "person_not_found")
        assert desk.call("POST", path, key=steward, json={"others": [], "reason": "x"}).status_code == 422


class TestReviews:
    def test_lists_what_waits_with_its_records(self, desk):
        reviews = desk.http.get("/v1/reviews", params={"limit": 5})
        assert reviews.status_code == 200 and isinstance(reviews.json(), list)

    def test_links_name_what_they_do_not_know(self, desk, twins):
        known = _name(twins["records"][0])
        answer = desk.http.get("/v1/links", params={"record_a": known, "record_b": "crm/customer/nobody"})
        assert (answer.status_code, answer.json()["code"]) == (404, "record_unknown")
