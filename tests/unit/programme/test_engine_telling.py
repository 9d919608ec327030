"""Explanations in words; and the examples in the engine's own documentation."""

import doctest
import importlib
import pkgutil
from datetime import UTC, datetime

import pytest

from comity.definitions.types import (
    Cap,
    CapPeriod,
    EarningRule,
    ExclusionSpec,
    PendingSpec,
    PointsSpec,
    ProgrammeSpec,
    RateSpec,
    RollingExpiry,
    Rounding,
    Span,
)
from comity.programme import engine
from comity.programme.engine.compiling import compile_programme
from comity.programme.engine.evaluating import evaluate
from comity.programme.engine.facts import Line, Member, Purchase
from comity.programme.engine.telling import tell


def test_every_number_is_told():
    spec = ProgrammeSpec(
        title="Club",
        currency="EUR",
        points=(PointsSpec(name="coins", pending=PendingSpec(days=14), expiry=RollingExpiry(after=Span(months=24))),),
        exclusions=(ExclusionSpec(name="gifts", categories=("gift",)),),
        earning_rules=(
            EarningRule(name="base", rate=RateSpec(points=1, per_minor=100), rounding=Rounding.HALF_UP),
            EarningRule(name="double", multiplier_percent=200, caps=(Cap(per=CapPeriod.PURCHASE, points=20),)),
        ),
    )
    lines = (
        Line(line_id="1", amount_minor=2_020, category="room"),
        Line(line_id="2", amount_minor=1_025, category="bar"),
        Line(line_id="3", amount_minor=500, category="gift"),
    )
    purchase = Purchase(
        purchase_id="o-17",
        occurred_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
        amount_minor=3_545,
        currency="EUR",
        lines=lines,
    )
    earning = evaluate(purchase, Member(tiers={"status": "Gold"}), compile_programme("club", 4, spec))
    assert "\n".join(tell(earning.explanation)) == (
        "purchase (programme club; version 4; purchase o-17; business_on 2026-03-01; amount_minor 3545; "
        "outcome earned; tier.status Gold)\n"
        "  total coins: 50\n"
        "    award base: 30 (amount_minor 3045; points 1; per_minor 100; rounding half_up; exactly 30 + 45/100)\n"
        "      line 1: 20 (amount_minor 2020)\n"
        "      line 2: 10 (amount_minor 1025)\n"
        "    bonus double: 31 (of base; percent 200; stacking add; exactly the running total - 1/10)\n"
        "      line 1: 21 (amount_minor 2020)\n"
        "      line 2: 10 (amount_minor 1025)\n"
        "    cap double: -11 (cap rule.double.points.purchase; most 20; used 0)\n"
        "      line 1: -7 (amount_minor 2020)\n"
        "      line 2: -4 (amount_minor 1025)\n"
        "  lot coins: 50 (available_from 2026-03-15; expires_on 2028-03-01)\n"
        "  exclusion gifts (line 3; amount_minor 500)"
    )


@pytest.mark.parametrize("name", [each.name for each in pkgutil.iter_modules(engine.__path__)])
def test_examples_in_the_documentation_are_true(name):
    module = importlib.import_module(f"comity.programme.engine.{name}")
    assert not doctest.testmod(module).failed
