"""Simulated years (L6, P21): lots expire on their day where the programme lives, and none is lost or kept too long."""

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg
import pytest

from comity.ledger import api, store
from comity.ledger.types import (
    AccountKind,
    Book,
    Capture,
    NewAccount,
    NewHold,
    Posting,
    Release,
    ReturnPolicy,
    Reversal,
    Terms,
)
from tests.chance import seeds

ZONES = {"dawn": ZoneInfo("Pacific/Kiritimati"), "dusk": ZoneInfo("America/Los_Angeles")}
"""Two programmes a day apart; one of them moves its clocks twice a year."""

START = datetime(2027, 11, 5, 9, 30, tzinfo=UTC)  # A clock goes back within days, and a leap day comes.


class World:
    """Members of two programmes who earn, spend, reserve and return by chance."""

    def __init__(self, database, seed, members):
        self.database = database
        self.random = random.Random(seed)
        self.now = START
        self.count = 0
        self.earned = {unit: [] for unit in ZONES}
        self.holds = {unit: [] for unit in ZONES}
        self.ended = Counter()
        self.accounts = {}
        self.liability = 0
        self.seen = 0
        for unit in ZONES:
            owners = [(AccountKind.PROGRAMME, unit), *((AccountKind.MEMBER, f"{n}") for n in range(members))]
            accounts = [NewAccount(book=Book.POINTS, unit=unit, kind=kind, owner=owner) for kind, owner in owners]
            with database.transaction() as tx:
                self.accounts[unit] = api.open_accounts(tx, accounts=accounts, now=START)

    def today(self, unit):
        return self.now.astimezone(ZONES[unit]).date()

    def key(self):
        self.count += 1
        return f"k{self.count}"

    def lifetime(self, today):
        """Days, calendar ends, the 29th of February, or for ever."""
        choices = (today + timedelta(days=self.random.choice((1, 30, 365))), date(today.year + 1, 1, 1), None)
        leap = date(2028, 2, 29)
        return leap if today < leap and self.random.random() < 0.2 else self.random.choice(choices)

    def terms(self, today):
        """Every fifth accrual is pending for some days first; its lot lives longer than that."""
        expires_on = self.lifetime(today)
        if self.random.random() < 0.8 or (expires_on is not None and expires_on <= today + timedelta(days=14)):
            return Terms(expires_on=expires_on)
        return Terms(expires_on=expires_on, available_from=today + timedelta(days=self.random.randrange(1, 15)))

    def day(self, postings):
        """One day, a commit for each programme: what is left of old versions of rows can be cleared away meanwhile."""
        self.now += timedelta(hours=self.random.randrange(18, 31))
        for unit, (programme, *members) in self.accounts.items():
            with self.database.transaction() as tx:
                tx.execute("set local synchronous_commit = off")  # Nobody kills this server.
                self.live(tx, unit, programme, members, postings)
                self.check_liability(tx)

    def live(self, tx, unit, programme, members, postings):
        today = self.today(unit)
        wishes = []
        for _ in range(self.random.randrange(postings)):
            member = self.random.choice(members)
            is_earning = self.random.random() < 0.6
            wishes.append(
                Posting(
                    idempotency_key=self.key(),
                    debit_account_id=programme if is_earning else member,
                    credit_account_id=member if is_earning else programme,
                    amount=self.random.randrange(1, 60),
                    kind="any",
                    effective_on=today,
                    system="shop",
                    external_id="1",
                    terms=self.terms(today) if is_earning else Terms(),
                )
            )
        verdicts = api.post(tx, postings=wishes, now=self.now)
        self.earned[unit] += [verdict.transfer_id for verdict in verdicts if verdict.transfer_id is not None]
        self.undo(tx, unit, today)
        self.reserve(tx, unit, members, today)
        self.end_holds(tx, unit, programme, today)
        while api.expire_lots(tx, unit=unit, today=today, now=self.now):
            pass

    def reserve(self, tx, unit, members, today):
        wish = NewHold(
            idempotency_key=self.key(), account_id=self.random.choice(members), amount=self.random.randrange(1, 40),
            deadline_at=self.now + timedelta(hours=self.random.randrange(1, 24 * 40)), effective_on=today,
            system="shop", external_id="1",
        )  # fmt: skip
        [verdict] = api.reserve(tx, holds=[wish], now=self.now)
        if verdict.transfer_id is not None:
            self.holds[unit].append(verdict.transfer_id)

    def end_holds(self, tx, unit, programme, today):
        """Capture or release one that may have ended long ago; deadlines end others."""
        if self.holds[unit] and self.random.random() < 0.6:
            source = {"idempotency_key": self.key(), "effective_on": today, "system": "shop", "external_id": "1"}
            hold_id = self.random.choice(self.holds[unit][-30:])
            if self.random.random() < 0.6:
                amount = self.random.choice((None, 1))
                wish = Capture(hold_id=hold_id, credit_account_id=programme, amount=amount, **source)
                [verdict] = api.capture(tx, captures=[wish], now=self.now)
            else:
                [verdict] = api.release(tx, releases=[Release(hold_id=hold_id, **source)], now=self.now)
            self.ended[verdict.status.value] += 1
        self.ended["timed_out"] += len(api.time_out_holds(tx, unit=unit, today=today, now=self.now))

    def undo(self, tx, unit, today):
        """Return an accrual or cancel a redemption of some time ago."""
        if self.earned[unit] and self.random.random() < 0.5:
            wish = Reversal(
                transfer_id=self.random.choice(self.earned[unit]), idempotency_key=self.key(), effective_on=today,
                reason="", system="shop", external_id="1", policy=ReturnPolicy.ALLOW_NEGATIVE,
            )  # fmt: skip
            api.reverse(tx, reversals=[wish], now=self.now)

    def check_liability(self, tx):
        """What is owed to members by their open lots is what the entries say, each entry counted once."""
        entries, self.seen = tx.execute(
            "select coalesce(sum(e.amount), 0)::bigint, coalesce(max(e.transfer_id), %(seen)s) from ledger.v_entry e "
            "join ledger.account a using (account_id) "
            "where e.transfer_id > %(seen)s and a.book = 'points' and a.kind in ('programme', 'expired')",
            {"seen": self.seen},
        ).fetchone()
        self.liability -= entries
        assert tx.execute("select coalesce(sum(rest), 0)::bigint from ledger.holding").fetchone() == (self.liability,)

    def check(self, tx):
        assert store.find_imbalance(tx) == []
        assert store.find_unlotted(tx) == []
        # What is left is in date, day by day where the programme lives.
        for unit in ZONES:
            stale = tx.execute(
                "select count(*) from ledger.holding h join ledger.account a using (account_id) "
                "where a.unit = %s and a.kind = 'member' and h.expires_on <= %s",
                (unit, self.today(unit)),
            ).fetchone()
            assert stale == (0,)
        # No lot expired before its day, and on a later one only what came back after it.
        late = tx.execute(
            "select count(*) from ledger.transfer t join ledger.lot_entry e using (transfer_id) "
            "join ledger.transfer l on l.transfer_id = e.lot_id where t.kind = 'expire' and ("
            "t.effective_on < l.expires_on or (t.effective_on > l.expires_on and not exists ("
            "select from ledger.lot_entry b join ledger.transfer r using (transfer_id) "
            "where b.lot_id = e.lot_id and b.amount > 0 and r.effective_on = t.effective_on)))"
        ).fetchone()
        assert late == (0,)
        # Every lot ended spent, expired or open, to the unit.
        ends = tx.execute(
            "select l.lot_id, l.amount, sum(e.amount) as open from ledger.v_lot l "
            "join ledger.v_lot_entry e using (lot_id) group by 1, 2 having sum(e.amount) not between 0 and l.amount"
        ).fetchall()
        assert ends == []
        held = Counter()
        for row in api.trial_balance(tx):
            held[row.kind] += row.balance
        assert self.liability == held["member"] + held["reserved"] == -held["programme"] - held["expired"]
        # What is reserved is what open holds say, and no deadline has passed.
        waiting = tx.execute(
            "select coalesce(sum(amount), 0)::bigint, min(deadline_at) from ledger.open_hold join ledger.hold using "
            "(hold_id, deadline_at)"
        ).fetchone()
        assert waiting[0] == held["reserved"]
        assert waiting[1] is None or waiting[1] > self.now


@pytest.mark.parametrize("seed", seeds(20260303, soak=1))
@pytest.mark.parametrize(
    ("days", "members", "postings"), [(130, 12, 8), pytest.param(5 * 366, 2_000, 60, marks=pytest.mark.soak)]
)
def test_years_pass_and_every_lot_ends_spent_expired_or_open(database, to_owner, days, members, postings, seed):
    world = World(database, seed, members)
    for number in range(days):
        world.day(postings)
        if number % 100 == 0:
            with psycopg.connect(to_owner(database), autocommit=True) as connection:  # Nobody else does it here.
                connection.execute("vacuum (analyze)")
            with database.transaction() as tx:
                world.check(tx)
    with database.transaction() as tx:
        world.check(tx)
    assert world.ended["posted"] and world.ended["timed_out"]
