"""Recency, frequency and value are what adding up by hand gives, whatever was bought, corrected, returned, merged."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comity.activity import api
from comity.activity.types import ProfileMove, PurchaseFact, RecordReference, ReturnFact, name_profile

PEOPLE = (1, 2, 3)
NOW = datetime(2027, 1, 1, tzinfo=UTC)
DAYS = (date(2026, 3, 29), date(2026, 11, 1))
"""In Beirut the first begins at one o'clock; in Havana the second has midnight twice."""
ZONES = ("UTC", "Europe/Berlin", "Asia/Beirut", "America/Havana", "Pacific/Kiritimati")
HALF_HOURS = st.integers(-80, 80)

PEOPLE_DRAWN = st.sampled_from(PEOPLE)
AMOUNTS = st.sampled_from([-700, 0, 1, 999, 12_000])
CURRENCIES = st.sampled_from(["EUR", "EUR", "USD"])
PLACES = st.integers(0, 99)
BOUGHT = st.tuples(st.just("buy"), PEOPLE_DRAWN, HALF_HOURS, AMOUNTS, CURRENCIES, st.booleans())
RETURNED = st.tuples(
    st.just("give_back"), PLACES, HALF_HOURS, st.sampled_from([0, 1, 500, 12_000]), CURRENCIES, st.booleans()
)
STEPS = st.one_of(
    BOUGHT,
    BOUGHT,
    RETURNED,
    RETURNED,
    st.tuples(st.just("correct"), PLACES, HALF_HOURS, AMOUNTS, CURRENCIES, st.booleans()),
    st.tuples(st.just("doubt"), PLACES, AMOUNTS),
    st.tuples(st.just("merge"), PLACES, st.integers(1, 2)),
    st.tuples(st.just("part"), PLACES),
)


def profile(person):
    return UUID(int=person)


@dataclass
class Bought:
    """A purchase as it stands, and whose it is."""

    person: int | None
    at: datetime
    amount: int
    currency: str
    names_profile: bool = False
    is_cancelled: bool = False
    returns: list = field(default_factory=list)


class World:
    """Three people, what they bought, and who stands for whom."""

    def __init__(self, tx, day):
        self.tx = tx
        self.noon = datetime(day.year, day.month, day.day, tzinfo=UTC)
        self.leader = {person: person for person in PEOPLE}
        self.bought = []
        self.returned = 0
        for person in PEOPLE:
            tx.execute("insert into identity.profile values (%s, %s, null, now())", [profile(person), person])
            tx.execute(
                "insert into identity.record (record_id, system, stream, external_id, profile_id, linked_at, rule, "
                "match_hash, features) overriding system value "
                "values (%s, 'crm', 'Contact', %s, %s, now(), 'founded', 0, '{}')",
                [person, f"c{person}", profile(person)],
            )

    def moment(self, half_hours):
        return self.noon + half_hours * timedelta(minutes=30)

    def report(self, place, system="shop", **changes):
        known = self.bought[place]
        person = RecordReference(system="crm", stream="Contact", external_id=f"c{known.person}")
        if known.names_profile:
            person = name_profile(profile(known.person))
        told = PurchaseFact(
            **{
                "system": system, "stream": "Order", "external_id": f"o{place}", "business_key": f"R-{place}",
                "occurred_at": known.at, "amount_minor": known.amount, "currency": known.currency, "person": person,
                "is_cancelled": known.is_cancelled,
            } | changes
        )  # fmt: skip
        owner = profile(self.leader[known.person])
        api.accept_purchases(self.tx, purchases=[told], profile_ids=[owner], now=NOW)

    def buy(self, person, half_hours, amount, currency, names_profile):
        self.bought.append(Bought(person, self.moment(half_hours), amount, currency, names_profile))
        self.report(len(self.bought) - 1)

    def correct(self, which, half_hours, amount, currency, is_cancelled):
        if self.bought:
            place = which % len(self.bought)
            known = self.bought[place]
            known.at, known.amount, known.currency = self.moment(half_hours), amount, currency
            known.is_cancelled = is_cancelled
            self.report(place)

    def doubt(self, which, amount):
        """Another system says another amount, which changes nothing."""
        if self.bought:
            self.report(which % len(self.bought), system="till", amount_minor=amount)

    def give_back(self, which, half_hours, amount, currency, is_told_twice):
        if not self.bought:
            return
        place = which % len(self.bought)
        self.returned += 1
        at = self.moment(half_hours)
        self.bought[place].returns.append((at, self.returned, amount, currency))
        for system in ("shop", "till")[: 1 + is_told_twice]:
            told = ReturnFact(
                system=system, stream="Return", external_id=f"t{self.returned}", business_key=f"T-{self.returned}",
                purchase_key=f"R-{place}", occurred_at=at, amount_minor=amount, currency=currency,
            )  # fmt: skip
            api.accept_returns(self.tx, returns=[told], now=NOW)

    def follow(self, people, leader):
        self.leader |= dict.fromkeys(people, leader)
        for person in people:
            merged_into = None if person == leader else profile(leader)
            self.tx.execute(
                "update identity.profile set merged_into = %s where profile_id = %s", [merged_into, profile(person)]
            )
            self.tx.execute(
                "update identity.record set profile_id = %s where record_id = %s", [profile(leader), person]
            )

    def merge(self, which, other):
        leaders = sorted(set(self.leader.values()))
        if len(leaders) > 1:
            loser = leaders[which % len(leaders)]
            survivor = leaders[(which + min(other, len(leaders) - 1)) % len(leaders)]
            self.follow([each for each in PEOPLE if self.leader[each] == loser], survivor)
            move = ProfileMove(loser_profile_id=profile(loser), survivor_profile_id=profile(survivor))
            api.reassign_profiles(self.tx, moves=[move])

    def part(self, which):
        aliases = [each for each in PEOPLE if self.leader[each] != each]
        if aliases:
            risen = aliases[which % len(aliases)]
            self.follow([risen], risen)
            api.follow_records(self.tx, record_ids=[risen])

    def add_up(self, on, zone):
        """What each profile comes to, one purchase after another."""
        found = {}
        for each in self.bought:
            if each.is_cancelled or each.at.astimezone(zone).date() > on:
                continue
            last_on, count, value = found.get(profile(self.leader[each.person]), (None, 0, {}))
            if each.amount >= 0:
                bought_on = each.at.astimezone(zone).date()
                last_on, count = max(last_on or bought_on, bought_on), count + 1
            back = sum(
                amount
                for at, _, amount, currency in each.returns
                if currency == each.currency and at.astimezone(zone).date() <= on
            )
            net = each.amount - min(back, max(each.amount, 0))
            value = value | {each.currency: value.get(each.currency, 0) + net}
            found[profile(self.leader[each.person])] = (last_on, count, value)
        return found


def tell(each):
    return each.last_purchase_on, each.purchase_count, each.value_minor


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(day=st.sampled_from(DAYS), steps=st.lists(STEPS, min_size=3, max_size=25), zone=st.sampled_from(ZONES))
def test_is_what_adding_up_gives(tx, day, steps, zone):
    with tx.transaction(force_rollback=True):
        world = World(tx, day)
        for name, *values in steps:
            getattr(world, name)(*values)
        for on in (day + timedelta(days=offset) for offset in (-2, -1, 0, 1)):
            expected = world.add_up(on, ZoneInfo(zone))
            everybody = {each.profile_id: tell(each) for each in api.read_rfv(tx, on=on, zone=ZoneInfo(zone))}
            assert everybody == expected
            some = api.find_rfv(tx, profile_ids=[profile(1), profile(3)], on=on, zone=ZoneInfo(zone))
            assert {key: tell(each) for key, each in some.items()} == {
                key: each for key, each in expected.items() if key != profile(2)
            }
