"""Five simulated years in several time zones: every point that was earned ends spent, expired, taken back or open."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import msgspec
import pytest

from comity.definitions.types import (
    CalendarExpiry,
    EarningRule,
    EndOf,
    FixedExpiry,
    LadderSpec,
    PendingSpec,
    PointsSpec,
    ProgrammeSpec,
    RateSpec,
    ReturnPolicy,
    RollingExpiry,
    RollingWindow,
    SlidingExpiry,
    Span,
    StartsWith,
    TierLevel,
)
from comity.programme.engine.compiling import compile_programme
from comity.programme.engine.days import to_business_day, to_first_instant
from comity.programme.engine.evaluating import evaluate
from comity.programme.engine.facts import Line, Member, Purchase
from comity.programme.engine.lifetimes import release_terms
from comity.programme.engine.returning import LotRest, settle, take_back
from comity.programme.engine.tiers import Qualifying, find_standing
from tests.chance import seeds
from tests.lifetimes import slide_expiry

START = datetime(2024, 1, 1, tzinfo=UTC)  # Two leap days lie ahead.
DAYS = 5 * 366
EXPIRIES = [
    RollingExpiry(after=Span(months=13), end_of=EndOf.MONTH),
    RollingExpiry(after=Span(days=200), starts=StartsWith.AVAILABLE),
    CalendarExpiry(year_starts="04-01", grace=Span(days=59)),
    SlidingExpiry(after=Span(months=6), at_most=Span(years=2)),
    FixedExpiry(last_day=date(2027, 2, 28)),
]
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kolkata"]


class Lot:
    """A lot in the simplest ledger there is."""

    def __init__(self, points, terms, earned_on):
        self.points, self.rest, self.terms, self.earned_on = points, points, terms, earned_on
        self.spent = self.expired = self.taken = 0

    def is_available(self, day):
        opens, ends = self.terms.available_from, self.terms.expires_on
        return self.rest and opens is not None and opens <= day and (ends is None or day < ends)

    def use(self, points, name):
        assert 0 <= points <= self.rest
        self.rest -= points
        setattr(self, name, getattr(self, name) + points)


class World:
    """One member of one programme, day by day."""

    def __init__(self, expiry, zone, seed):
        pending = PendingSpec(until="stay_completed", days=1, at_most_days=30) if seed % 2 else PendingSpec(days=14)
        self.points = PointsSpec(name="coins", pending=pending, expiry=expiry)
        self.ladder = LadderSpec(
            name="status",
            levels=(TierLevel(name="Blue", points_from=0), TierLevel(name="Gold", points_from=300)),
            window=RollingWindow(length=Span(months=12)),
        )
        spec = ProgrammeSpec(
            title="Club",
            currency="EUR",
            timezone=zone,
            points=(self.points,),
            earning_rules=(
                EarningRule(name="base", rate=RateSpec(points=1, per_minor=100)),
                EarningRule(name="gold", multiplier_percent=137, tiers=("Gold",)),
            ),
            ladders=(self.ladder,),
        )
        self.rules, self.zone, self.chance = compile_programme("club", 1, spec), ZoneInfo(zone), Random(seed)
        self.lots, self.purchases, self.activity, self.entries = [], [], [], []
        self.earned, self.forgiven, self.owed, self.redeemed = 0, 0, 0, 0

    def live(self, moment):
        day = to_business_day(moment, self.zone)
        self.expire(day)
        chance = self.chance.random()
        if chance < 0.10:
            self.buy(moment, day)
        elif chance < 0.13:
            self.give_back(day)
        elif chance < 0.17:
            self.spend(day)
        for lot in self.lots:
            if lot.terms.awaits and lot.earned_on + timedelta(days=4) <= day:
                self.release(lot, day)

    def buy(self, moment, day):
        standing = find_standing(self.ladder, self.entries, begins_on=date(2023, 1, 1), on=day)
        lines = tuple(
            Line(line_id=str(place), amount_minor=self.chance.randrange(1, 9_000))
            for place in range(self.chance.randrange(1, 4))
        )
        total = sum(line.amount_minor for line in lines) * self.chance.choice([8, 9, 10]) // 10 or 1
        purchase = Purchase(
            purchase_id=f"p{len(self.purchases)}",
            occurred_at=moment,
            amount_minor=total,
            currency="EUR",
            lines=lines,
        )
        earning = evaluate(purchase, Member(tiers={"status": standing.level}), self.rules)
        assert earning.business_on == day
        lots = [Lot(lot.points, lot.terms, day) for lot in earning.lots]
        self.lots += lots
        self.purchases.append([earning, lots, {}, [0] * len(lots)])
        self.earned += sum(earning.points.values())
        self.entries.append(Qualifying(earned_on=day, points=sum(earning.points.values())))
        self.act(day)

    def give_back(self, day):
        if not self.purchases:
            return
        purchase = self.chance.choice(self.purchases[-5:])
        earning, lots, before, taken = purchase
        now = {line: self.chance.randint(before.get(line, 0), most) for line, most in earning.line_minor.items()}
        wanted = take_back(earning, returned_before=before, returned_now=now, taken_by_lot=taken)
        rests = [LotRest(points=lot.rest, is_pending=not lot.is_available(day)) for lot in lots]
        others = [lot for lot in self.lots if lot not in lots and lot.is_available(day)]
        policy = self.chance.choice(list(ReturnPolicy))
        found = settle(wanted, rests, policy=policy, balance=sum(lot.rest for lot in others))
        for lot, points in zip(lots, found.from_lots, strict=True):
            lot.use(points, "taken")
        self.take(others, found.from_balance, "taken")
        self.forgiven += found.forgiven
        self.owed += found.owed
        purchase[2:] = [now, [old + new for old, new in zip(taken, wanted, strict=True)]]

    def spend(self, day):
        held = [lot for lot in self.lots if lot.is_available(day)]
        wish = self.chance.randrange(1, 60)
        if sum(lot.rest for lot in held) >= wish:
            self.take(held, wish, "spent")
            self.redeemed += wish
            self.act(day)

    @staticmethod
    def take(lots, points, name):
        """The soonest-expiring lot first."""
        for lot in sorted(lots, key=lambda lot: (lot.terms.expires_on or date.max, lot.earned_on)):
            part = min(points, lot.rest)
            lot.use(part, name)
            points -= part
        assert not points

    def release(self, lot, day):
        terms = release_terms(self.points.pending, self.points.expiry, lot.earned_on, day)
        lot.terms = terms or lot.terms
        assert terms is not None and terms.available_from > lot.earned_on

    def act(self, day):
        """Activity prolongs what is alive, where points live by activity."""
        self.activity.append(day)
        if isinstance(self.points.expiry, SlidingExpiry):
            for lot in self.lots:
                if lot.rest and day < lot.terms.expires_on:
                    ends = slide_expiry(self.points.expiry, lot.earned_on, self.activity)
                    assert ends >= lot.terms.expires_on
                    lot.terms = msgspec.structs.replace(lot.terms, expires_on=ends)

    def expire(self, day):
        for lot in self.lots:
            if lot.rest and lot.terms.expires_on is not None and lot.terms.expires_on <= day:
                lot.use(lot.rest, "expired")


@pytest.mark.parametrize("seed", seeds(*range(6), soak=30))
@pytest.mark.parametrize("expiry", EXPIRIES, ids=lambda each: type(each).__name__)
def test_every_point_ends_somewhere(expiry, seed):
    zone = ZONES[seed % len(ZONES)]
    world = World(expiry, zone, seed)
    for offset in range(DAYS):
        world.live(START + timedelta(days=offset, hours=world.chance.randrange(24), minutes=offset % 60))
    totals = Counter()
    for lot in world.lots:
        assert lot.points == lot.spent + lot.expired + lot.taken + lot.rest
        totals.update(spent=lot.spent, expired=lot.expired, taken=lot.taken, rest=lot.rest)
        if lot.expired:
            assert to_first_instant(lot.terms.expires_on, ZoneInfo(zone)) < START + timedelta(days=DAYS + 1)
    assert world.earned == sum(totals.values())
    assert world.redeemed == totals["spent"]
    wanted = sum(sum(taken) for *_, taken in world.purchases)
    assert wanted == totals["taken"] + world.forgiven + world.owed
    for earning, lots, returned, taken in world.purchases:
        if returned == earning.line_minor:
            assert taken == [lot.points for lot in lots]
