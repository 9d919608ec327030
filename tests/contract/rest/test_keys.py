"""Every route, and who may use it."""

from uuid import uuid4

import pytest

from comity.interfaces.rest.app import HANDLERS
from comity.interfaces.rest.description import describe

DESCRIPTION = describe(HANDLERS)

ROUTES = [
    (method, path, operation["security"][0]["key"][0] if operation["security"] else None)
    for path, operations in DESCRIPTION["paths"].items()
    for method, operation in operations.items()
]
GUARDED = [route for route in ROUTES if route[2]]
SCOPES = ("intake", "read", "redeem", "adjust", "steward", "configure")


def fill(path: str) -> str:
    return (
        path.replace("{global_id}", str(uuid4()))
        .replace("{attribute}", "email")
        .replace("{adjustment_id}", "1")
        .replace("{referral_id}", "1")
        .replace("{kind}", "rules")
        .replace("{name}", "golden")
    )


@pytest.fixture(scope="module")
def keys(desk):
    """Keys in every state, the same for all routes."""
    revoked = desk.make_key(*SCOPES)
    desk.revoke(revoked)
    made = {f"only {scope}": desk.make_key(scope) for scope in SCOPES}
    return made | {"revoked": revoked, "expired": desk.make_key(*SCOPES, days=-1)}


def refused(answer, *, status, code):
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    problem = answer.json()
    assert problem["code"] == code and problem["details"]["remedy"] and problem["title"]
    assert (answer.headers.get("www-authenticate") == "Bearer") == (status == 401)
    return problem


@pytest.mark.parametrize("route", GUARDED, ids=lambda route: " ".join(route[:2]))
class TestGuardedRoute:
    def test_wants_a_key(self, desk, route):
        method, path, _ = route
        refused(desk.call(method, fill(path)), status=401, code="key_missing")
        basic = {"authorization": "Basic Y29taXR5OmNvbWl0eQ=="}
        refused(desk.call(method, fill(path), headers=basic), status=401, code="key_missing")

    def test_wants_a_key_it_knows(self, desk, route):
        method, path, _ = route
        for key in ("nonsense", "cmty_nobody_nothing", "cmty__", "x" * 5000):
            refused(desk.call(method, fill(path), key=key), status=401, code="key_unknown")

    def test_wants_a_key_that_lives(self, desk, keys, route):
        method, path, _ = route
        expired = desk.call(method, fill(path), key=keys["expired"])
        assert "expired_at" in refused(expired, status=401, code="key_expired")["details"]
        refused(desk.call(method, fill(path), key=keys["revoked"]), status=401, code="key_revoked")

    def test_wants_its_scope(self, desk, keys, route):
        method, path, scope = route
        for other in set(SCOPES) - {scope}:
            problem = refused(
                desk.call(method, fill(path), key=keys[f"only {other}"]), status=403, code="scope_missing"
            )
            assert (problem["details"]["needed"], problem["details"]["has"]) == (scope, [other])

    def test_lets_its_scope_pass(self, desk, keys, route):
        method, path, scope = route
        answer = desk.call(method, fill(path), key=keys[f"only {scope}"])
        assert answer.status_code not in {401, 403, 500}, answer.text


def test_every_route_but_status_and_webhooks_is_guarded():
    open_routes = {(method, path) for method, path, scope in ROUTES if scope is None}
    assert open_routes == {
        ("get", "/health"),
        ("get", "/metrics"),
        ("get", "/v1/status"),
        ("post", "/hooks/{system}"),
    }


def test_key_of_another_secret_is_unknown(desk):
    key = desk.make_key("read")
    prefix = key.rsplit("_", 1)[0] if key.count("_") == 2 else "_".join(key.split("_")[:2])
    refused(desk.call("GET", "/v1/systems", key=f"{prefix}_guess"), status=401, code="key_unknown")


def test_scheme_is_read_in_any_case(desk):
    key = desk.make_key("read")
    assert desk.call("GET", "/v1/systems", headers={"authorization": f"bearer {key}"}).status_code == 200


def test_revoked_key_closes_within_seconds(desk):
    from tests.scenario.rehearsal import eventually

    key = desk.make_key("read")
    assert desk.call("GET", "/v1/systems", key=key).status_code == 200
    desk.revoke(key)
    eventually(lambda: desk.call("GET", "/v1/systems", key=key).status_code == 401)
