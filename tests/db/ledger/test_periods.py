"""Business days and closed periods: what was known when, and what stays as it is."""

from datetime import UTC, date, datetime, timedelta
from threading import Event, Thread

import msgspec
import pytest

from comity.ledger import api
from comity.ledger.types import (
    AccountKind,
    Book,
    NewAccount,
    NewHold,
    PeriodOrder,
    PostingStatus,
    Reversal,
    Terms,
    UnknownAccount,
)
from tests.db.ledger.test_books import MARCH, NOW, SOURCE, open_books, post

FEBRUARY = (date(2026, 2, 1), date(2026, 2, 28))


def roll(tx, period):
    found = api.roll_forward(tx, unit="points", first_on=period[0], last_on=period[1])
    return (found.opening, found.issued, found.redeemed, found.expired, found.adjusted, found.closing)


def seal(database, now):
    for _ in range(2):
        with database.transaction() as tx:
            api.seal(tx, now=now)


class TestBusinessDays:
    def test_balance_on_a_day_as_known_at_a_time(self, database):
        """What was the balance on 3 March, as known on 10 March? The same whenever it is asked."""
        third = date(2026, 3, 3)
        with database.transaction() as tx:
            programme, ada, _ = open_books(tx)
            post(tx, "a", programme, ada, 100, date(2026, 3, 1))
        ask = {"account_ids": [ada, programme], "day": third}
        seal(database, NOW)
        known_at = NOW + timedelta(hours=1)
        with database.transaction() as tx:
            for known in (NOW, known_at):
                with pytest.raises(api.NotYetKnown):
                    api.get_balances_on(tx, known_at=known, **ask)
            # Its clock says that it was booked before: it was committed later, and nobody knew.
            post(tx, "slow", programme, ada, 20, date(2026, 3, 2), now=NOW - timedelta(minutes=1))
            post(tx, "b", ada, programme, 30, date(2026, 3, 4))
        seal(database, NOW + timedelta(hours=2))
        with database.transaction() as tx:
            assert api.get_balances_on(tx, known_at=known_at, **ask) == [100, -100]
            assert api.get_balances_on(tx, known_at=NOW - timedelta(seconds=1), **ask) == [0, 0]
            assert api.get_balances_on(tx, **ask) == [120, -120]
            assert api.get_balances_on(tx, account_ids=[ada], day=date(2026, 2, 28)) == [0]
            rows = api.trial_balance(tx, day=third, known_at=known_at)
            assert {row.kind: row.balance for row in rows}["member"] == 100
            # A clock that was put back changes nothing that was told.
            post(tx, "c", programme, ada, 7, third)
        seal(database, NOW)
        with database.transaction() as tx:
            assert api.get_balances_on(tx, known_at=known_at, **ask) == [100, -100]
            assert api.trial_balance(tx, day=third, known_at=known_at) == rows
            with pytest.raises(UnknownAccount):
                api.get_balances_on(tx, account_ids=[-1], day=third)

    def test_roll_forward_adds_up(self, tx):
        programme, ada, bob = open_books(tx)
        earned = post(tx, "a", programme, ada, 100, FEBRUARY[0], terms=Terms(expires_on=MARCH[1])).transfer_id
        post(tx, "b", ada, programme, 30, FEBRUARY[1])
        post(tx, "gift", ada, bob, 10, MARCH[0])
        api.reverse(
            tx,
            reversals=[
                Reversal(
                    transfer_id=earned, idempotency_key="back", effective_on=MARCH[0], reason="", amount=15, **SOURCE
                )
            ],
            now=NOW,
        )
        post(tx, "goodwill", programme, bob, 7, MARCH[0], kind="adjust")
        hold = NewHold(idempotency_key="h", account_id=bob, amount=7, deadline_at=NOW, effective_on=MARCH[0], **SOURCE)
        api.reserve(tx, holds=[hold], now=NOW)
        api.expire_lots(tx, unit="points", today=MARCH[1], now=NOW)
        assert roll(tx, FEBRUARY) == (0, 100, 30, 0, 0, 70)
        # Ada's 45 and 3 of Bob's expire; 7 of that lot are held and keep.
        assert roll(tx, MARCH) == (70, 0, 0, 48, -8, 14)
        assert roll(tx, (FEBRUARY[0], MARCH[1])) == (0, 100, 30, 48, -8, 14)


class TestClosedPeriods:
    def lock(self, tx, through=FEBRUARY[1]):
        api.lock_period(tx, unit="points", through=through, by="ada", reason="close", now=NOW)

    def test_take_nothing_any_more(self, tx):
        """Late items land in the open period and keep their day; closed figures never move."""
        programme, ada, _ = open_books(tx)
        first = post(tx, "a", programme, ada, 100, FEBRUARY[0]).transfer_id
        closed = roll(tx, FEBRUARY)
        self.lock(tx)
        late = post(tx, "late", programme, ada, 20, FEBRUARY[1]).transfer_id
        [back] = api.reverse(
            tx,
            reversals=[Reversal(transfer_id=first, idempotency_key="r", effective_on=FEBRUARY[0], reason="", **SOURCE)],
            now=NOW,
        )
        for transfer_id, asked in ((late, FEBRUARY[1]), (back.transfer_id, FEBRUARY[0])):
            found = api.get_transfer(tx, transfer_id=transfer_id)
            assert (found.effective_on, found.original_on) == (MARCH[0], asked)
        assert api.get_transfer(tx, transfer_id=first).original_on is None
        assert roll(tx, FEBRUARY) == closed
        assert roll(tx, MARCH) == (100, 20, 0, 0, -100, 20)
        assert post(tx, "late", programme, ada, 20, FEBRUARY[1]).status is PostingStatus.DUPLICATE

    def test_concern_their_unit_alone(self, tx):
        open_books(tx)
        self.lock(tx)
        kinds = (AccountKind.PROGRAMME, AccountKind.MEMBER)
        programme, member = api.open_accounts(
            tx,
            accounts=[NewAccount(book=Book.POINTS, unit="other", kind=kind, owner="o") for kind in kinds],
            now=NOW,
        )
        transfer_id = post(tx, "a", programme, member, 100, FEBRUARY[0]).transfer_id
        assert api.get_transfer(tx, transfer_id=transfer_id).effective_on == FEBRUARY[0]

    def test_are_closed_forward_and_opened_by_two(self, tx):
        programme, ada, _ = open_books(tx)
        self.lock(tx)
        with pytest.raises(PeriodOrder):
            self.lock(tx)
        january = date(2026, 1, 31)
        again = {"unit": "points", "through": january, "reason": "error", "now": NOW}
        for by, confirmed_by in (("ada", "Ada "), ("ada", "")):
            with pytest.raises(PeriodOrder):
                api.reopen_period(tx, by=by, confirmed_by=confirmed_by, **again)
        api.reopen_period(tx, by="ada", confirmed_by="bob", **again)
        [(told,)] = tx.execute("select payload from kernel.event where kind = 'ledger.period_reopened'").fetchall()
        days = {"first_on": "2026-02-01", "last_on": "2026-02-28"}
        assert told == {
            "book": "points", "unit": "points", "by": "ada", "confirmed_by": "bob", "reason": "error", **days,
        }  # fmt: skip
        transfer_id = post(tx, "a", programme, ada, 1, FEBRUARY[0]).transfer_id
        assert api.get_transfer(tx, transfer_id=transfer_id).effective_on == FEBRUARY[0]

    @pytest.mark.parametrize("hour", [0, 9, 10, 13, 23])
    def test_today_stays_open_wherever_it_is_asked_for(self, tx, hour):
        """West of Greenwich the day before goes on till noon of UTC; what is posted for today counts today."""
        programme, ada, _ = open_books(tx)
        now = datetime(2026, 3, 10, hour, tzinfo=UTC)
        today = now.date()
        last_over = today - timedelta(days=1 if hour >= 12 else 2)
        post(tx, "a", programme, ada, 100, today, terms=Terms(expires_on=today + timedelta(days=1)))
        wish = {"unit": "points", "by": "ada", "reason": "close", "now": now}
        for day in (today, last_over + timedelta(days=1)):
            with pytest.raises(api.DayNotOver) as error:
                api.lock_period(tx, through=day, **wish)
            assert error.value.details["last_over"] == last_over
        api.lock_period(tx, through=last_over, **wish)
        spent = post(tx, "b", ada, programme, 100, today)
        assert api.get_transfer(tx, transfer_id=spent.transfer_id).effective_on == today

    def test_take_no_points_from_anybody(self, tx):
        """What was spent on a closed day could be spent on it, whatever day it is booked on."""
        programme, ada, _ = open_books(tx)
        post(tx, "a", programme, ada, 100, FEBRUARY[0], terms=Terms(expires_on=MARCH[0]))
        post(tx, "b", programme, ada, 50, FEBRUARY[0], terms=Terms(available_from=MARCH[0]))
        self.lock(tx)
        assert post(tx, "early", ada, programme, 101, FEBRUARY[1]).status is PostingStatus.INSUFFICIENT
        spent = post(tx, "late", ada, programme, 100, FEBRUARY[1])
        found = api.get_transfer(tx, transfer_id=spent.transfer_id)
        assert (found.effective_on, found.original_on) == (MARCH[0], FEBRUARY[1])
        assert [lot.rest for lot in api.list_holdings(tx, account_ids=[ada])[ada]] == [50]

    def test_are_told_the_same_to_the_byte(self, tx):
        """Whatever comes later: late items, accounts and kinds of accounts that are opened."""
        programme, ada, bob = open_books(tx)
        post(tx, "a", programme, ada, 100, FEBRUARY[0])
        self.lock(tx)

        def tell():
            rows = api.trial_balance(tx, day=FEBRUARY[1])
            return msgspec.json.encode(
                [rows, api.roll_forward(tx, unit="points", first_on=FEBRUARY[0], last_on=FEBRUARY[1])]
            )

        before = tell()
        later = NOW + timedelta(seconds=1)
        post(tx, "late", programme, bob, 20, FEBRUARY[1], now=later, terms=Terms(expires_on=MARCH[1]))
        opened = [
            NewAccount(book=Book.POINTS, unit=unit, kind=kind, owner="new")
            for unit in ("points", "new")
            for kind in (AccountKind.MEMBER, AccountKind.POOL, AccountKind.PARTNER)
        ]
        api.open_accounts(tx, accounts=opened, now=later)
        assert tell() == before

    def test_wait_for_batches_that_still_post(self, database):
        with database.transaction() as tx:
            programme, ada, _ = open_books(tx)
        closed = Event()

        def close():
            with database.transaction() as tx:
                self.lock(tx)
            closed.set()

        thread = Thread(target=close)
        with database.transaction() as tx:
            post(tx, "a", programme, ada, 100, FEBRUARY[0])
            thread.start()
            assert not closed.wait(timeout=0.3)
        thread.join(timeout=60)
        assert closed.is_set()
        with database.transaction() as tx:
            assert roll(tx, FEBRUARY)[-1] == 100
