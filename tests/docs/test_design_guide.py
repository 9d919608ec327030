"""The guide to programmes is true: its documents validate, its figures are what the engine says."""

import re
from datetime import date, timedelta
from pathlib import Path

import msgspec
import pytest
from ruamel.yaml import YAML

from comity.definitions import api as definitions
from comity.definitions.rules import plain
from comity.definitions.types import (
    EarningRule,
    Expiry,
    LadderSpec,
    ProgrammeSpec,
    RateSpec,
    Stacking,
)
from comity.definitions.writing import write_yaml
from comity.programme.engine.compiling import compile_programme
from comity.programme.engine.evaluating import evaluate
from comity.programme.engine.facts import Member, Purchase
from comity.programme.engine.lifetimes import plan_terms
from comity.programme.engine.returning import count_returned
from comity.programme.engine.telling import tell
from comity.programme.engine.tiers import Qualifying, find_standing

GUIDE = (Path(__file__).parents[2] / "docs/guides/design-a-programme.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
YAMLS = [text for language, text in BLOCKS if language == "yaml"]


def read(text):
    return YAML(typ="safe", pure=True).load(text)


def rows(heading):
    """The rows of the table with this heading, as lists of cells."""
    table = GUIDE[GUIDE.index(heading) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in table]


def club():
    [document] = definitions.load_text(YAMLS[1], file="guide").documents
    return document.spec


def problems(text):
    loaded = definitions.load_text(text, file="guide")
    return [str(each) for each in definitions.validate(loaded)]


class TestDocuments:
    @pytest.mark.parametrize("text", [text for text in YAMLS if text.startswith("kind:")])
    def test_validate(self, text):
        assert not problems(text)

    def test_parts_fit_into_a_programme(self):
        [part] = [text for text in YAMLS if text.startswith("ladders:")]
        spec = plain(club()) | read(part)
        spec["points"] = plain(club())["points"]
        assert not problems(write_yaml({"kind": "programme", "name": "club", "spec": spec}))


class TestFigures:
    def test_of_the_purchase(self):
        facts = read(YAMLS[2])
        purchase = msgspec.convert(facts, Purchase, strict=False)
        member = Member(tiers={"level": "Gold"}, purchase_count=1)
        earning = evaluate(purchase, member, compile_programme("club", 1, club()))
        [told] = [text for language, text in BLOCKS if language == "text"]
        assert "\n".join(tell(earning.explanation)) + "\n" == told
        coins, status = re.search(r"earns (\d+) coins and (\d+) status points", GUIDE).groups()
        assert earning.points == {"coins": int(coins), "status": int(status)}

    @pytest.mark.parametrize(("text", "earned_on", "last_day"), rows("| expiry | earned on"))
    def test_of_expiry(self, text, earned_on, last_day):
        expiry = msgspec.convert(read(text.replace("04-01", "'04-01'")), Expiry, strict=False)
        expires_on = plan_terms(None, expiry, date.fromisoformat(earned_on)).expires_on
        assert last_day == ("never" if expires_on is None else str(expires_on - timedelta(days=1)))

    @pytest.mark.parametrize(("stacking", "points"), rows("| stacking | points"))
    def test_of_stacking(self, stacking, points):
        spec = ProgrammeSpec(
            title="Club",
            currency="EUR",
            stacking=Stacking(stacking),
            earning_rules=(
                EarningRule(name="base", rate=RateSpec(points=1, per_minor=1)),
                EarningRule(name="double", multiplier_percent=200),
                EarningRule(name="triple", multiplier_percent=300),
            ),
        )
        assert self.earn(spec, 1_000).points == {"points": int(points)}

    def test_of_rounding(self):
        spec = ProgrammeSpec(
            title="Club",
            currency="EUR",
            earning_rules=(
                EarningRule(name="base", rate=RateSpec(points=1, per_minor=100)),
                EarningRule(name="double", multiplier_percent=200),
            ),
        )
        assert self.earn(spec, 250).points == {"points": 5}

    def test_of_tiers(self):
        [ladder] = club().ladders
        assert isinstance(ladder, LadderSpec)
        entries = [
            Qualifying(earned_on=date(2026, 5, 1), points=300),
            Qualifying(earned_on=date(2028, 3, 1), points=100),
        ]
        for day, level in rows("| from | level"):
            standing = find_standing(ladder, entries, begins_on=date(2026, 1, 10), on=date.fromisoformat(day))
            assert standing.level == level

    @pytest.mark.parametrize(("returned", "points"), rows("| returned so far, in cents"))
    def test_of_returns(self, returned, points):
        spec = ProgrammeSpec(
            title="Club",
            currency="EUR",
            earning_rules=(EarningRule(name="base", rate=RateSpec(points=1, per_minor=100)),),
        )
        assert count_returned(self.earn(spec, 10_000), {"": int(returned)}).points == int(points)

    @staticmethod
    def earn(spec, amount_minor):
        facts = {"purchase_id": "p", "occurred_at": "2026-01-15T12:00:00Z", "currency": "EUR"}
        purchase = msgspec.convert(facts | {"amount_minor": amount_minor}, Purchase)
        return evaluate(purchase, Member(), compile_programme("club", 1, spec))
