"""On every kind of ladder a simulation comes to what the running hub comes to, and an explanation to what is booked."""

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comity.definitions.types import ProgrammeSpec
from comity.programme import api
from comity.programme.api import History, Trial
from tests.db.programme.test_explaining import START, put_in_force
from tests.db.programme.test_simulating import BOUGHT, LADDER, ON, check_same, happen, load, run_hub

LOW, HIGH = {"name": "Low", "from": 0}, {"name": "High", "from": 200, "keep_from": 100}
LEVELS = [LOW, {"name": "Mid", "from": 100, "keep_from": 60}, HIGH]
FURTHER = st.sampled_from(
    [
        {"window": {"kind": "rolling", "length": {"months": 1}}},
        {"window": {"kind": "rolling", "length": {"days": 10}}, "levels": [LOW, {"name": "High", "from": 200}]},
        {"window": {"kind": "calendar", "year_starts": "02-10"}},
        {"window": {"kind": "calendar", "year_starts": "02-10"}, "downgrade": "at_period_end"},
        {"window": {"kind": "rolling", "length": {"days": 5}}, "downgrade": "at_period_end", "grace_days": 4},
        {"window": {"kind": "rolling", "length": {"days": 4}}, "downgrade": "one_level",
         "valid": {"length": {"days": 9}}},
        {"window": {"kind": "lifetime"}},
    ]
).map(lambda ladder: {"name": "stay", "levels": LEVELS, **ladder})  # fmt: skip
RULES = st.sampled_from(
    [
        {"multiplier_percent": 120, "tiers": ["Low", "Gold"]},
        {"multiplier_percent": 300, "when": "tier.stay = 'Mid'"},
        {"multiplier_percent": 250, "when": "loyalty.tier = 'High'"},
        {"fixed": 11, "tiers": ["Mid", "High"]},
    ]
)


@st.composite
def specs(draw):
    """A programme with a ladder that has a memory, mostly, and perhaps another one before it."""
    spec = {
        "title": "Club", "currency": "EUR", "timezone": "Asia/Tokyo", "enrol": {"automatic": True},
        "earning": {"points_per_unit": 1, "unit_minor": 100}, "ladders": [draw(FURTHER)],
        "earning_rules": [{"name": f"r{place}", **rule} for place, rule in enumerate(draw(st.lists(RULES)))],
    }  # fmt: skip
    if draw(st.booleans()):
        spec["tiers"] = LADDER | {"window_days": draw(st.sampled_from([1, 5, 10, 60]))}
    return msgspec.convert(spec, ProgrammeSpec)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(running=specs(), proposed=specs(), purchases=st.lists(st.tuples(*BOUGHT), min_size=4, max_size=12))
def test_simulations_and_explanations_come_to_what_the_hub_comes_to(tx, running, proposed, purchases):
    with tx.transaction(force_rollback=True):
        recorded = load(tx, purchases)
        trial = Trial(programme="club", running=running, proposed=proposed, on=ON)
        found = api.simulate(tx, trial=trial, history=History(programme="club", until=trial.until))
        for name, spec in (("running", running), ("proposed", proposed)):
            with tx.transaction(force_rollback=True):
                put_in_force(tx, spec, START)
                check_same(tx, found, name, run_hub(tx, spec, happen(recorded, spec)))
                for each in recorded:
                    told = api.explain_purchase(tx, purchase_id=each.purchase_id, now=trial.until)
                    assert all(each.is_exact for each in told)
