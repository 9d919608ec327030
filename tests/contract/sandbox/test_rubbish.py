"""Rubbish gets a refusal in the vendor's form; the simulator itself never fails."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comity.kernel.clock import ManualClock
from comity.kernel.ids import SeededIds
from comity.sandbox.clock import ShiftedClock
from comity.sandbox.hubspot.app import HubSpot
from comity.sandbox.salesforce.app import Salesforce
from comity.sandbox.types import SandboxOptions
from comity.sandbox.wire import parse_request
from tests.chance import examples

PARTS = {
    Salesforce: [
        "services", "data", "v66.0", "sobjects", "Contact", "Task", "query", "queryAll", "composite", "describe",
        "Global_Id__c", "Email", "tooling", "CustomField", "updated", "deleted", "limits", "003130000000003AAA", "%2F",
    ],
    HubSpot: [
        "crm", "v3", "objects", "contacts", "tasks", "batch", "create", "read", "update", "upsert", "archive", "search",
        "merge", "gdpr-delete", "properties", "webhooks", "54321", "settings", "subscriptions", "1001", "email",
    ],
}  # fmt: skip
PREFIXES = {
    Salesforce: ["", "/services/data/v66.0", "/services/data/v66.0/sobjects/Contact", "/services/data/v66.0/composite"],
    HubSpot: ["", "/crm/v3/objects/contacts", "/crm/v3/objects/contacts/batch", "/webhooks/v3/54321"],
}
NAMES = [
    "Id", "LastName", "Email", "Birthdate", "Points_Balance__c", "DoNotCall", "AccountId", "attributes", "type",
    "records", "compositeRequest", "url", "method", "body", "allOrNone", "ids", "fields", "FullName", "Metadata",
    "properties",
    "inputs", "id", "idProperty", "email", "points_balance", "birth_date", "filterGroups", "filters", "propertyName",
    "operator", "value", "values", "highValue", "sorts", "limit", "after", "objectWriteTraceId", "associations", "to",
    "types", "targetUrl", "throttling", "maxConcurrentRequests", "eventType", "active",
]  # fmt: skip
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats()
    | st.sampled_from(["", "Contact", "contacts", "x@example.com", "2026-01-01", "EQ", "IN", "@{a.b}", "GET", *NAMES])
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)
things = st.lists(st.dictionaries(st.sampled_from(NAMES), values, max_size=6), max_size=4)
filters = st.fixed_dictionaries(
    {},
    optional={
        "propertyName": st.sampled_from(["email", "points_balance", "birth_date", "lastmodifieddate", "none"]),
        "operator": st.sampled_from(["EQ", "IN", "BETWEEN", "GT", "CONTAINS_TOKEN", "HAS_PROPERTY", "none"]),
        "value": values,
        "values": values,
        "highValue": values,
    },
)
shapes = st.fixed_dictionaries(
    {},
    optional={
        "records": things.map(lambda rows: [{"attributes": {"type": "Contact"}, **row} for row in rows]),
        "inputs": things,
        "properties": st.dictionaries(st.sampled_from(NAMES), values, max_size=4),
        "compositeRequest": things,
        "filterGroups": st.lists(st.fixed_dictionaries({"filters": st.lists(filters, max_size=3)}), max_size=3),
        "sorts": values,
        "limit": values,
        "after": values,
    },
)
WORDS = (
    "SELECT Id FROM Contact WHERE LastName = 'a' AND OR NOT ( ) IN LIKE null ORDER BY DESC LIMIT OFFSET 5 -1 1.5 COUNT"
    " , > 2026-01-01 2026-01-01T00:00:00Z 0001-01-01T00:00:00+05:00 CreatedDate Points_Balance__c DoNotCall true NULLS"
    " FIRST FIELDS ALL TODAY LAST_N_DAYS:9999999999 LAST_N_DAYS:9999"
)
words = st.sampled_from(WORDS.split())
soql = st.lists(words, max_size=10).map(lambda rest: " ".join(["SELECT Id FROM Lead", *rest])) | st.lists(
    words, max_size=14
).map(" ".join)


@pytest.mark.hypothesis
@pytest.mark.parametrize("kind", [Salesforce, HubSpot])
def test_is_refused_and_never_a_failure(kind):
    clock = ShiftedClock(ManualClock(datetime(2026, 3, 3, tzinfo=UTC)))
    simulator = kind(clock=clock, ids=SeededIds(1), seed=1, options=SandboxOptions())

    @settings(max_examples=examples(30), deadline=None)
    @given(
        method=st.sampled_from(["GET", "POST", "PATCH", "DELETE", "PUT"]),
        prefix=st.sampled_from(PREFIXES[kind]),
        path=st.lists(st.sampled_from(PARTS[kind]), max_size=4),
        query=st.dictionaries(
            st.sampled_from(["q", "fields", "ids", "start", "end", "limit", "after", "idProperty", "archived"]),
            soql | st.text(max_size=6),
            max_size=2,
        ),
        body=values | shapes | shapes,
        is_broken=st.sampled_from([False] * 9 + [True]),
    )
    def check(method, prefix, path, query, body, is_broken):
        target = "/".join([prefix, *path]) + "?" + "&".join(f"{name}={value}" for name, value in query.items())
        content = b'{"broken' if is_broken else msgspec.json.encode(body)
        headers = {"authorization": f"Bearer {simulator.token}"}
        answer = simulator.answer(parse_request(method=method, target=target, headers=headers, body=content))
        assert answer.status in {200, 201, 204, 207, 300, 304, 400, 404, 405, 409, 501}

    check()
    simulator.close()
