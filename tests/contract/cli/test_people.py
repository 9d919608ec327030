"""What a person has bought, as `profile show` tells it."""

import pytest

from tests.contract.cli.conftest import told
from tests.contract.cli.test_programme import ADA, bought

__all__ = ["bought"]


@pytest.fixture
def known(bought, database):
    """Somebody with purchases of 300.00 euros on 10 January, and of 500.00 a day later, at ten o'clock in UTC."""
    with database.transaction() as tx:
        tx.execute("insert into identity.profile values (%s, 1, null, now())", [ADA])
        tx.execute("insert into profile.golden (profile_id, rules_version, updated_at) values (%s, 1, now())", [ADA])
    return bought


def test_sums_purchases_up_as_of_a_day_in_a_time_zone(known):
    shown = told(known("profile", "show", str(ADA), "--on", "2026-01-11", "--timezone", "Pacific/Kiritimati", "--json"))
    assert shown["rfv"] == {
        "on": "2026-01-11", "timezone": "Pacific/Kiritimati", "last_purchase_on": "2026-01-11", "purchase_count": 1,
        "value_minor": {"EUR": 30_000},
    }  # fmt: skip
    text = known("profile", "show", str(ADA), "--on", "2026-01-12").stdout
    for part in ("as of 2026-01-12 (UTC)", "2026-01-11", "800.00 EUR", "500.00 EUR"):
        assert part in text


def test_refuses_days_and_zones_that_there_are_not(known):
    assert told(known("profile", "show", str(ADA), "--timezone", "Utopia", "--json"))["code"] == "unknown_time_zone"
    assert told(known("profile", "show", str(ADA), "--on", "2026-02-30", "--json"))["code"] == "day_unreadable"


def test_tells_the_history_of_values_and_knows_which_there_are(known):
    history = told(known("profile", "history", str(ADA), "--json"))
    assert (history["global_id"], history["changes"], history["differing"]) == (str(ADA), [], [])
    assert str(ADA) in known("profile", "history", str(ADA), "email").stdout
    assert told(known("profile", "history", str(ADA), "shoe_size", "--json"))["code"] == "attribute_unknown"
