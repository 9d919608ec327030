"""What the hub carries out of a programme, and what it refuses to promise."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest

from comity import wiring
from comity.activity.types import PurchaseRecorded
from comity.definitions.types import Definitions, Document, Kind, MappingSpec, ProgrammeSpec
from comity.programme import running
from comity.programme.types import Counted, EarnOutcome, LockedMember, Programme

SHORT = {"title": "Points", "currency": "EUR", "earning": {"points_per_unit": 1, "unit_minor": 100}}
STAYS = {"name": "stays", "levels": [{"name": "Blue", "from": 0}], "window": {"kind": "lifetime"}}
RULE = {"name": "base", "rate": {"points": 1, "per_minor": 100}}


def spec(**changes):
    return msgspec.convert({**SHORT, **changes}, ProgrammeSpec)


def purchase(number=1, amount=10_000, currency="EUR", **changes):
    told = {
        "purchase_id": number, "business_key": f"R-{number}", "profile_id": UUID(int=1), "amount_minor": amount,
        "currency": currency, "occurred_at": datetime(2026, 3, 28, 23, 30, tzinfo=UTC), "system": "shop",
        "stream": "Order", "external_id": f"o{number}",
    }  # fmt: skip
    return PurchaseRecorded(**{**told, **changes})


def member(number=7, tier=None):
    return LockedMember(
        member_id=number, profile_id=UUID(int=number), programme="club", account_id=1, tier=tier,
        programme_account_id=2, today=datetime(2026, 3, 29, tzinfo=UTC).date(),
    )  # fmt: skip


def plan(told, *purchases, members=None, counts=None, counted=()):
    members = members or {place: member() for place in range(len(purchases))}
    club = Programme(name="club", spec=told, version=3)
    return running.plan_earnings(purchases, members, club, purchase_counts=counts or {}, counted=counted)


class TestFindIgnored:
    @pytest.mark.parametrize(
        ("changes", "fields"),
        [
            ({}, []),
            ({"earning_rules": [{**RULE, "caps": [{"per": "day", "points": 5}]}], "stacking": "best_of"}, []),
            ({"earning_rules": [{**RULE, "when": "purchase.weekday = 6 and loyalty.tier = 'Gold'"}]}, []),
            ({"earning_rules": [RULE, {**RULE, "name": "web", "channels": ["web"], "categories": ["spa"]}]}, []),
            ({"exclusions": [{"name": "cards", "when": "line.category = 'gift' or purchase.channel = 'web'"}]}, []),
            ({"exclusions": [{"name": "cards", "when": "country = 'DE'"}]}, ["exclusions[0].when"]),
            (
                {"earning_rules": [{**RULE, "budget": "b"}], "budgets": [{"name": "b", "points": 9}]},
                [],
            ),
            ({"earning_rules": [{**RULE, "when": "country = 'DE'"}]}, ["earning_rules[0].when"]),
            ({"earning_rules": [{**RULE, "when": "purchase.store = 'Ulm'"}]}, []),
            ({"points": [{"name": "miles", "expiry": {"kind": "rolling", "after": {"months": 24}}}]}, []),
            (
                {"points": [{"name": "miles", "expiry": {"kind": "sliding", "after": {"months": 6}}}]},
                [],
            ),
            ({"points": [{"name": "miles", "pending": {"days": 14}, "warn_days": [30, 7]}]}, []),
            ({"points": [{"name": "miles", "pending": {"until": "stay"}}]}, []),
            ({"earning_rules": [{**RULE, "pending": {"days": 14}, "expiry": {"kind": "never"}}]}, []),
            ({"earning_rules": [{**RULE, "pending": {"until": "stay"}}]}, []),
            ({"points": [{"name": "miles"}, {"name": "status", "spendable": False}]}, []),
            ({"transfers": {}, "adjustments": {"checker_above": 100}}, []),
            ({"returns": {"policy": "allow_negative"}, "corrections": "adjust_forward"}, []),
            ({"returns": {"window_days": 14, "late": "keep"}}, []),
            ({"returns": {"window_days": 14}, "referral": {"advocate_points": 5, "matures_days": 14}}, []),
            (
                {
                    "points": [{"name": "miles"}, {"name": "status"}],
                    "referral": {"advocate_points": 5, "points": "status"},
                },
                [],
            ),
            ({"ladders": [STAYS], "earning_rules": [{**RULE, "when": "tier.stays = 'Gold'"}]}, []),
            (
                {"ladders": [STAYS], "earning_rules": [{**RULE, "when": "loyalty.enrolled_on < today"}]},
                ["earning_rules[0].when"],
            ),
        ],
    )
    def test_names_the_field(self, changes, fields):
        assert running.find_ignored(spec(**changes)) == fields


def test_an_event_that_no_mapping_tells_of_is_refused():
    told = spec(earning_rules=[{**RULE, "name": "stays", "pending": {"until": "stay_completed"}}])
    document = Document(kind=Kind.PROGRAMME, name="club", spec=told)
    [fault] = wiring.check_programme_document(document, Definitions(revision=0, documents=(document,)))
    assert (fault.field, "stay_completed" in fault.message) == ("earning_rules[0].pending.until", True)
    fields = {"business_key": "n", "occurred_at": "t", "amount": "a", "currency": "c", "person": "p"}
    shop = {"system": "shop", "stream": "order", "kind": "purchase", "external_id": "n"}
    fields |= {"person_stream": "people", "events": {"stay_completed": "out"}}
    mapping = Document(kind=Kind.MAPPING, name="m", spec=msgspec.convert({**shop, "fields": fields}, MappingSpec))
    assert wiring.check_programme_document(document, Definitions(revision=0, documents=(document, mapping))) == []


class TestPlan:
    @pytest.mark.parametrize(
        ("amount", "currency", "points", "outcome"),
        [
            (12_399, "EUR", 123, EarnOutcome.EARNED),
            (99, "EUR", 0, EarnOutcome.BELOW_ONE_POINT),
            (0, "EUR", 0, EarnOutcome.NOT_POSITIVE),
            (-500, "EUR", 0, EarnOutcome.NOT_POSITIVE),
            (500, "USD", 0, EarnOutcome.OTHER_CURRENCY),
            (10**17, "EUR", 0, EarnOutcome.TOO_LARGE),
            (-(10**17), "EUR", 0, EarnOutcome.NOT_POSITIVE),
        ],
    )
    def test_says_what_and_why(self, amount, currency, points, outcome):
        [earning] = plan(spec(), purchase(amount=amount, currency=currency))
        assert (earning.points, earning.outcome) == (points, outcome)

    def test_the_day_is_the_programmes(self):
        [earning] = plan(spec(timezone="Europe/Berlin"), purchase())
        assert earning.effective_on.isoformat() == "2026-03-29"

    def test_caps_go_on_from_what_was_counted(self):
        told = spec(earning=None, earning_rules=[{**RULE, "caps": [{"per": "day", "points": 150}]}])
        before = plan(told, purchase(1))
        assert [each.points for each in before] == [100]
        first, second = plan(told, purchase(2), purchase(3), counted=before[0].counted)
        assert (first.points, second.points, second.outcome) == (50, 0, EarnOutcome.NOTHING)
        assert sum(each.amount for each in first.counted) == 50
        assert isinstance(first.counted[0], Counted)

    def test_members_count_apart(self):
        told = spec(earning=None, earning_rules=[{"name": "welcome", "fixed": 500, "first_purchase": True}])
        assert running.needs_history(running.make_ready(Programme(name="club", spec=told)))
        members = {0: member(7), 1: member(8), 2: member(7)}
        earnings = plan(told, purchase(1), purchase(2), purchase(3), members=members, counts={8: 4})
        assert [each.points for each in earnings] == [500, 0, 0]

    def test_a_tier_multiplies(self):
        told = spec(
            tiers={"levels": [{"name": "Blue", "from": 0}, {"name": "Gold", "from": 1000}]},
            earning_rules=[{"name": "gold", "multiplier_percent": 150, "tiers": ["Gold"]}],
        )
        earnings = plan(told, purchase(1), purchase(2), members={0: member(7, "Blue"), 1: member(8, "Gold")})
        assert [each.points for each in earnings] == [100, 150]
