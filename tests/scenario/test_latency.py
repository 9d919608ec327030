"""How long an edit in one system takes to be visible in the others, when the system pushes."""

import time

import pytest

from tests.scenario.conftest import connect_three, subscribe
from tests.scenario.rehearsal import eventually

SECONDS_MAX = 60.0
"""Against a hub that hangs; the figure that counts is the one that is printed."""

PERSON = {"FirstName": "Ada", "LastName": "Byron", "Email": "ada@byron.example"}


@pytest.mark.parametrize("edits", [5, pytest.param(20, marks=pytest.mark.soak)])
def test_a_pushed_edit_is_visible_everywhere(rehearsal, salesforce, salesforce_b, hubspot, edits):
    a = salesforce.edit("Contact", None, **PERSON)["id"]
    b = salesforce_b.edit("Contact", None, **PERSON)["id"]
    c = hubspot.edit("contacts", None, firstname="Ada", lastname="Byron", email="ada@byron.example")["id"]
    connect_three(rehearsal, salesforce, salesforce_b, hubspot, every="1h")
    subscribe(rehearsal, "crm-c")
    rehearsal.start()
    eventually(lambda: hubspot.find("contacts", "hs_object_id", c)[0].get("global_id"), what="everybody is linked")
    rehearsal.settle()
    seconds = []
    for number in range(edits):
        town = f"Town {number}"
        began = time.monotonic()
        hubspot.edit("contacts", c, city=town)
        for system, record_id in ((salesforce, a), (salesforce_b, b)):
            while system.find("Contact", "Id", record_id)[0].get("MailingCity") != town:
                assert time.monotonic() - began < SECONDS_MAX
                time.sleep(0.005)
        seconds.append(time.monotonic() - began)
        time.sleep(0.3)
    ordered = sorted(seconds)
    p50, p95 = ordered[len(ordered) // 2], ordered[max(0, int(len(ordered) * 0.95) - 1)]
    print(f"edit visible in both others: p50 {p50:.3f} s, p95 {p95:.3f} s, most {ordered[-1]:.3f} s ({edits} edits)")
    print("all:", " ".join(f"{each:.2f}" for each in seconds))
