"""Webhooks of the simulated HubSpot, checked with the signature helper of the vendor's own client."""

import time

import httpx2
import msgspec
import pytest
from hubspot.utils.signature import Signature
from hubspot.webhooks import (
    Configuration,
    SettingsApi,
    SettingsChangeRequest,
    SubscriptionCreateRequest,
    SubscriptionsApi,
)
from hubspot.webhooks.api_client import ApiClient

from comity.sandbox.api import SandboxOptions, serve
from comity.sandbox.hubspot.webhooks import sign


def wait_for(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing came in time"
        time.sleep(0.002)


def events(receiver):
    return [event for _, _, body in receiver.requests for event in msgspec.json.decode(body)]


@pytest.fixture
def target(http_hubspot, receiver):
    http_hubspot.post("/_sandbox/webhook", json={"url": receiver.url})
    yield receiver
    http_hubspot.delete("/webhooks/v3/54321/settings")


def edit(http_hubspot, fields, record_id=None):
    order = {"object": "contacts", "fields": fields} | ({"id": record_id} if record_id else {})
    return http_hubspot.post("/_sandbox/edit", json=order).raise_for_status().json()["id"]


class TestSignature:
    def test_is_the_one_the_vendor_prints(self):
        signature = sign(
            client_secret="yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy",
            method="POST",
            uri="https://www.example.com/webhook_uri",
            body=b"{'example_field':'example_value'}",
            timestamp="1693657560000",
        )
        assert signature == "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y="

    def test_convinces_the_vendors_helper(self, http_hubspot, hubspot, target):
        edit(http_hubspot, {"firstname": "Åsa", "email": "signed@example.com"})
        wait_for(lambda: target.requests)
        _, headers, body = target.requests[0]
        assert Signature.is_valid(
            signature=headers["X-HubSpot-Signature-v3"],
            client_secret=hubspot.ready.client_secret,
            request_body=body.decode(),
            http_uri=target.url,
            signature_version="v3",
            timestamp=headers["X-HubSpot-Request-Timestamp"],
        )


class TestDelivery:
    def test_tells_what_a_user_changed_by_itself(self, http_hubspot, hubspot, target):
        record_id = edit(http_hubspot, {"email": "edit@example.com"})
        wait_for(lambda: len(events(target)) == 2)
        target.requests.clear()
        edit(http_hubspot, {"city": "Lund", "email": "edit@example.com"}, record_id)
        wait_for(lambda: target.requests)
        (event,) = events(target)
        assert event["subscriptionType"] == "contact.propertyChange"
        assert (event["propertyName"], event["propertyValue"]) == ("city", "Lund")
        assert (event["objectId"], event["portalId"]) == (int(record_id), hubspot.ready.portal_id)
        assert (event["changeSource"], event["attemptNumber"]) == ("CRM_UI", 0)

    def test_tells_creation_deletion_restore_merge_and_erasure(self, http_hubspot, target):
        first, second = (edit(http_hubspot, {"city": city}) for city in ("A", "B"))
        http_hubspot.post("/_sandbox/delete", json={"object": "contacts", "ids": [first]})
        http_hubspot.post("/_sandbox/undelete", json={"object": "contacts", "ids": [first]})
        merged = http_hubspot.post(
            "/_sandbox/merge", json={"object": "contacts", "survivor": first, "losers": [second]}
        ).json()["id"]
        http_hubspot.post("/crm/v3/objects/contacts/gdpr-delete", json={"objectId": merged})
        wanted = {"creation", "propertyChange", "deletion", "restore", "merge", "privacyDeletion"}
        wait_for(lambda: {event["subscriptionType"].partition(".")[2] for event in events(target)} == wanted)
        (merge,) = [event for event in events(target) if event["subscriptionType"] == "contact.merge"]
        assert (merge["newObjectId"], merge["primaryObjectId"]) == (int(merged), int(first))
        assert merge["mergedObjectIds"] == [int(second)]

    def test_says_when_an_application_was_the_writer(self, http_hubspot, target):
        http_hubspot.post("/crm/v3/objects/contacts", json={"properties": {"city": "Api"}}).raise_for_status()
        wait_for(lambda: events(target))
        assert {event["changeSource"] for event in events(target)} == {"INTEGRATION"}

    def test_sends_nothing_when_nothing_changed(self, http_hubspot, target):
        record_id = edit(http_hubspot, {"city": "Same"})
        wait_for(lambda: len(events(target)) == 2)
        edit(http_hubspot, {"city": "Same"}, record_id)
        time.sleep(0.05)
        assert len(events(target)) == 2

    def test_posts_batches_of_at_most_a_hundred(self, http_hubspot, target):
        for start in range(0, 500, 100):
            inputs = [{"properties": {"city": f"Batch {start + number}"}} for number in range(100)]
            http_hubspot.post("/crm/v3/objects/contacts/batch/create", json={"inputs": inputs}).raise_for_status()
        wait_for(lambda: len(events(target)) == 1000)
        assert max(len(msgspec.json.decode(body)) for _, _, body in target.requests) <= 100
        keys = {(event["objectId"], event["subscriptionType"]) for event in events(target)}
        assert len(keys) == 1000

    def test_tries_again_until_it_is_taken(self, http_hubspot, target):
        target.statuses += [500, 400]
        edit(http_hubspot, {"city": "Retry"})
        wait_for(lambda: len(target.requests) >= 3)
        attempts = [
            event["attemptNumber"] for event in events(target) if event["subscriptionType"] == "contact.creation"
        ]
        assert attempts == [0, 1, 2]

    def test_loses_and_doubles_events_when_told(self, http_hubspot, target):
        http_hubspot.post("/_sandbox/faults", json={"webhooks_dropped": 1, "webhooks_doubled": 1}).raise_for_status()
        edit(http_hubspot, {"city": "Disturbed"})
        wait_for(lambda: len(events(target)) == 2)
        assert {event["subscriptionType"] for event in events(target)} == {"contact.propertyChange"}

    def test_gives_up_at_the_limit_and_counts_the_loss(self, http_hubspot, target):
        before = http_hubspot.get("/_sandbox/state").json()["webhooks"]["lost"]
        target.statuses += [500] * 40
        edit(http_hubspot, {"city": "Lost"})
        wait_for(lambda: http_hubspot.get("/_sandbox/state").json()["webhooks"]["lost"] == before + 2)


class TestSubscriptions:
    def test_sends_what_was_subscribed_to_and_no_more(self, http_hubspot, hubspot, receiver):
        with ApiClient(Configuration(host=hubspot.url)) as api:
            api.default_headers["Authorization"] = f"Bearer {hubspot.token}"
            settings = SettingsChangeRequest(target_url=receiver.url, throttling={"maxConcurrentRequests": 3})
            assert SettingsApi(api).configure(54321, settings).target_url == receiver.url
            subscriptions = SubscriptionsApi(api)
            for known in subscriptions.get_all(54321).results:
                subscriptions.archive(int(known.id), 54321)
            wanted = SubscriptionCreateRequest(event_type="contact.propertyChange", property_name="city", active=True)
            created = subscriptions.create(54321, wanted)
            edit(http_hubspot, {"city": "Wanted", "zip": "1"})
            wait_for(lambda: events(receiver))
            time.sleep(0.05)
            assert [event["subscriptionId"] for event in events(receiver)] == [int(created.id)]
            subscriptions.archive(int(created.id), 54321)
            SettingsApi(api).clear(54321)


class TestShutdown:
    def test_delivers_what_waits_before_it_ends(self, receiver):
        options = SandboxOptions(webhook_retry_seconds=(0.05,) * 5)
        with (
            serve(kind="hubspot", options=options) as sandbox,
            httpx2.Client(base_url=sandbox.url, trust_env=False) as client,
        ):
            client.post("/_sandbox/webhook", json={"url": receiver.url})
            receiver.statuses += [500, 500]
            for number in range(20):
                client.post("/_sandbox/edit", json={"object": "contacts", "fields": {"city": f"{number}"}})
        delivered = {event["objectId"] for event in events(receiver) if event["subscriptionType"] == "contact.creation"}
        assert len(delivered) == 20
