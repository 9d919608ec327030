"""Whatever is sent, the answer is never our own fault, and a refusal says what to do."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comity.interfaces.rest.app import HANDLERS
from comity.interfaces.rest.description import describe, list_hot_paths
from tests.chance import examples

WORDS = sorted(
    {"system", "stream", "id", "data", "kind", "event_id", "occurred_at", "global_id", "programme", "points", "reason"}
    | {"idempotency_key", "files", "allow_removal", "change_ids"}
)
VALUES = st.sampled_from(
    ["crm", "customer", "points", "", "upsert", "delete", 0, 1, -1, 2**63, 1.5, True, "2026-01-01"]
)
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20) | VALUES,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=8), below),
    max_leaves=12,
)
BODIES = st.one_of(
    st.dictionaries(st.sampled_from(WORDS), TREES, max_size=8).map(lambda each: json.dumps(each).encode()),
    TREES.map(lambda each: json.dumps(each).encode()),
    st.lists(TREES, max_size=4).map(lambda many: b"\n".join(json.dumps(each).encode() for each in many)),
    st.binary(max_size=60),
)
DOCUMENT = describe(HANDLERS)
POSTS = sorted(path for path, methods in DOCUMENT["paths"].items() if "post" in methods and "apply" not in path)
GETS = sorted(path for path, methods in DOCUMENT["paths"].items() if "get" in methods)
QUIETLY = settings(max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture])


def assert_told(answer):
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert problem["code"] and problem["title"] and problem["details"]["remedy"]


@pytest.mark.hypothesis
@pytest.mark.parametrize("path", POSTS)
def test_as_a_body(desk, path):
    @QUIETLY
    @given(body=BODIES)
    def send(body):
        assert_told(desk.http.post(path.replace("{system}", "portal"), content=body))

    send()
    assert path in POSTS and list_hot_paths()


@pytest.mark.hypothesis
@pytest.mark.parametrize("path", [path for path in GETS if path != "/metrics"])
def test_as_a_query_or_part_of_the_path(desk, path):
    names = [each["name"] for each in DOCUMENT["paths"][path]["get"].get("parameters", []) if each["in"] == "query"]

    @settings(QUIETLY, max_examples=examples(25))
    @given(
        part=st.text(st.characters(codec="utf-8"), min_size=1, max_size=30),
        query=st.dictionaries(st.sampled_from([*names, "x"]), st.text(st.characters(codec="utf-8"), max_size=30)),
    )
    def ask(part, query):
        from urllib.parse import quote

        filled = path.replace("{global_id}", quote(part, safe="")).replace("{attribute}", quote(part, safe=""))
        assert_told(desk.http.get(filled, params=query))

    ask()
