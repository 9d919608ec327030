"""An explanation comes to what is booked, whatever came before and in whatever order."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comity.definitions import rules, store
from comity.definitions.types import ProgrammeSpec
from comity.programme import api
from comity.programme.engine.telling import tell
from comity.programme.types import Programme
from tests.db.programme.test_simulating import FIRST, PEOPLE, PURCHASES, load, specs

START = FIRST - timedelta(days=30)


def put_in_force(tx, spec, now):
    """Store a version, also of a programme that nobody would write."""
    version = len(store.list_versions(tx, kind="programme", name="club", count_max=9)) + 1
    apply_id = store.insert_apply(tx, revision=version, author="Ada", applied_at=now, summary={})
    document = store.NewVersion(
        kind="programme", name="club", version=version, body=rules.encode_spec(spec).decode(),
        sha256=rules.hash_spec(spec), source="", file="", line=1, is_retired=False,
    )  # fmt: skip
    store.insert_versions(tx, versions=[document], apply_id=apply_id, author="Ada", applied_at=now)
    return Programme(name="club", spec=spec, version=version)


def earn(tx, version, purchases, now):
    api.recompute_tiers(tx, programme=version, now=now)
    api.earn_for_purchases(tx, purchases=purchases, programmes=[version], now=now)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=specs(), purchases=PURCHASES, size=st.integers(1, 5))
def test_comes_to_what_is_booked(tx, first, purchases, size):
    """In batches, in any order: what comes late changes what others have earned."""
    with tx.transaction(force_rollback=True):
        recorded = load(tx, purchases)
        version, now = put_in_force(tx, first, START), FIRST
        for place in range(0, len(recorded), size):
            now += timedelta(hours=7 * size)
            earn(tx, version, recorded[place : place + size], now + timedelta(seconds=1))
        for each in recorded:
            [found] = api.explain_purchase(tx, purchase_id=each.purchase_id, now=FIRST)
            assert found.is_exact
            totals = Counter()
            for step in found.explanation.steps:
                totals[step.kind] += step.points
            assert totals["total"] == totals["lot"] == found.points


def simple(**changes):
    spec = {
        "title": "Club", "currency": "EUR", "timezone": "UTC", "enrol": {"automatic": True},
        "earning": {"points_per_unit": 1, "unit_minor": 100},
    }  # fmt: skip
    return msgspec.convert(spec | changes, ProgrammeSpec)


def test_names_the_version_that_was_in_force_then(tx):
    recorded = load(tx, [(PEOPLE[0], FIRST, 10_000, "EUR"), (PEOPLE[0], FIRST, 10_000, "EUR")])
    earn(tx, put_in_force(tx, simple(), START), recorded[:1], FIRST)
    richer = simple(earning_rules=[{"name": "gift", "fixed": 7, "caps": [{"per": "day", "points": 5}]}])
    earn(tx, put_in_force(tx, richer, FIRST + timedelta(hours=1)), recorded[1:], FIRST + timedelta(hours=2))
    old, new = (api.explain_purchase(tx, purchase_id=each.purchase_id, now=FIRST)[0] for each in recorded)
    assert (old.version, old.points, new.version, new.points) == (1, 100, 2, 105)
    lines = list(tell(new.explanation))
    assert "    award gift: 7 (points 7)" in lines
    assert any(line.startswith("    cap gift: -2 (cap rule.gift.points.day") for line in lines)


def test_says_when_it_does_not_come_out(tx):
    recorded = load(tx, [(PEOPLE[0], FIRST, 10_000, "EUR")])
    earn(tx, put_in_force(tx, simple(), START), recorded, FIRST)
    tx.execute("update programme.earning set points = 99")
    [found] = api.explain_purchase(tx, purchase_id=recorded[0].purchase_id, now=FIRST)
    assert (found.points, found.is_exact) == (99, False)
    assert sum(step.points for step in found.explanation.steps if step.kind == "total") == 100


def test_without_a_stored_version_there_is_no_explanation(tx):
    recorded = load(tx, [(PEOPLE[0], FIRST, 10_000, "EUR")])
    earn(tx, Programme(name="club", spec=simple()), recorded, datetime(2026, 3, 1, tzinfo=UTC))
    [found] = api.explain_purchase(tx, purchase_id=recorded[0].purchase_id, now=FIRST)
    assert (found.points, found.version, found.explanation) == (100, None, None)
    assert api.explain_purchase(tx, purchase_id=12345, now=FIRST) == []
    assert api.explain_purchase(tx, purchase_id=recorded[0].purchase_id, programme="other", now=FIRST) == []
