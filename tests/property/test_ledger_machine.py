"""Any history of every verb of the ledger agrees with a plain model, and the books add up after each step (L1, L6).

The checker is checked too: ledgers with a bug planted in them must be found out.
"""

from contextlib import closing
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from comity.kernel.database import Database
from comity.kernel.errors import ComityError
from comity.ledger import api, rules, store
from comity.ledger.rows import MovedLot
from comity.ledger.types import (
    AccountKind,
    Book,
    Capture,
    MoneyLeg,
    NewAccount,
    NewHold,
    Posting,
    Release,
    ReturnPolicy,
    Reversal,
    Takes,
    TermChange,
    Terms,
)
from tests.property.ledger_model import NEVER, Model

FIRST_DAY = date(2028, 2, 27)  # A leap day is near.
START = datetime(2028, 2, 27, 12, tzinfo=UTC)
HOLDERS = ("ada", "bob", "pool")
SOURCE = {"system": "shop", "external_id": "1"}

names = st.sampled_from(HOLDERS)
amounts = st.integers(1, 60)
some = st.integers(0, 99)


class Machine(RuleBasedStateMachine):
    """Every verb, on the real ledger and on the model."""

    def __init__(self, tx):
        super().__init__()
        self.tx = tx
        tx.execute("savepoint machine")
        kinds = {"ada": AccountKind.MEMBER, "bob": AccountKind.MEMBER, "pool": AccountKind.POOL}
        accounts = [(Book.POINTS, AccountKind.PROGRAMME, "p"), *((Book.POINTS, kinds[name], name) for name in HOLDERS)]
        accounts += [(Book.MONEY, AccountKind.MONEY, "liability"), (Book.MONEY, AccountKind.MONEY, "revenue")]
        opened = api.open_accounts(
            tx,
            accounts=[NewAccount(book=book, unit="u", kind=kind, owner=owner) for book, kind, owner in accounts],
            now=START,
        )
        self.programme, *holders, self.liability, self.revenue = opened
        self.accounts = dict(zip(HOLDERS, holders, strict=True))
        self.model = Model(HOLDERS)
        self.today = FIRST_DAY
        self.now = START
        self.count = 0
        self.said = {}

    def teardown(self):
        self.tx.execute("rollback to savepoint machine")

    def key(self):
        self.count += 1
        return f"k{self.count}"

    def say(self, verb, wish, verdict):
        self.said[verb, wish.idempotency_key] = (wish, verdict)
        return verdict

    def post(self, debit, credit, amount, **changes):
        """Post and return status and transfer."""
        wish = Posting(
            idempotency_key=self.key(), debit_account_id=debit, credit_account_id=credit, amount=amount,
            effective_on=self.today, **({"kind": "any"} | SOURCE | changes),
        )  # fmt: skip
        [verdict] = api.post(self.tx, postings=[wish], now=self.now)
        self.say("post", wish, verdict)
        return verdict.status.value, verdict.transfer_id

    def money(self, amount, *, is_earning):
        legs = (self.revenue, self.liability) if is_earning else (self.liability, self.revenue)
        return MoneyLeg(debit_account_id=legs[0], credit_account_id=legs[1], amount_minor=amount)

    @rule(name=names, amount=amounts, days=st.sampled_from([None, 1, 3, 30]), wait=st.sampled_from([0, 0, 2, None]))
    def earn(self, name, amount, days, wait):
        terms = Terms(
            expires_on=None if days is None else self.today + timedelta(days=days),
            available_from=self.today + timedelta(days=wait) if wait else None,
            is_pending=wait is None,
        )
        status, transfer_id = self.post(
            self.programme, self.accounts[name], amount, terms=terms, money=self.money(amount, is_earning=True)
        )
        assert status == "posted"
        available = NEVER if wait is None else terms.available_from or date.min
        self.model.earn(name, amount, terms.expires_on or NEVER, available, self.today, transfer_id)

    @rule(name=names, amount=amounts)
    def redeem(self, name, amount):
        expected = self.model.judge_debit(name, amount, self.today)
        status, transfer_id = self.post(
            self.accounts[name], self.programme, amount, money=self.money(amount, is_earning=False)
        )
        assert status == expected
        if status == "posted":
            self.model.redeem(name, amount, self.today, transfer_id)

    @rule(giver=names, receiver=names, amount=amounts, anything=st.booleans())
    def give(self, giver, receiver, amount, anything):
        if giver == receiver or any(lot.rest < 0 for lot in self.model.lots[receiver]):
            return
        expected = self.model.judge_debit(giver, amount, self.today, anything=anything)
        takes = Takes.ANY if anything else Takes.SPENDABLE
        status, transfer_id = self.post(self.accounts[giver], self.accounts[receiver], amount, takes=takes)
        assert status == expected
        if status == "posted":
            self.model.give(giver, receiver, amount, self.today, transfer_id, anything=anything)

    @rule(name=names, amount=amounts)
    def reserve(self, name, amount):
        expected = self.model.judge_debit(name, amount, self.today)
        wish = NewHold(
            idempotency_key=self.key(), account_id=self.accounts[name], amount=amount,
            deadline_at=self.now + timedelta(days=2), effective_on=self.today, **SOURCE,
        )  # fmt: skip
        [verdict] = api.reserve(self.tx, holds=[wish], now=self.now)
        self.say("reserve", wish, verdict)
        assert verdict.status.value == expected
        if expected == "posted":
            self.model.reserve(name, amount, self.today, verdict.transfer_id)

    @precondition(lambda self: self.model.holds)
    @rule(which=some, share=st.sampled_from([0, 1, 30, 100, 100, 101]), same_key=st.booleans())
    def end(self, which, share, same_key):
        """Capture a share of a hold (0: release it), with a new key or the one that ended it."""
        hold_id = sorted(self.model.holds)[which % len(self.model.holds)]
        hold = self.model.holds[hold_id]
        total = sum(part for _, part in hold.pieces)
        amount = total + 1 if share > 100 else -(-total * share // 100)
        key = hold.end[0] if same_key and hold.end else self.key()
        outcome = "captured" if share else "released"
        expected = self.model.judge_end(hold_id, outcome, amount, key)
        if share:
            wish = Capture(
                idempotency_key=key, hold_id=hold_id, credit_account_id=self.programme, amount=amount,
                effective_on=self.today, **SOURCE,
            )  # fmt: skip
            [verdict] = api.capture(self.tx, captures=[wish], now=self.now)
        else:
            wish = Release(idempotency_key=key, hold_id=hold_id, effective_on=self.today, **SOURCE)
            [verdict] = api.release(self.tx, releases=[wish], now=self.now)
        assert verdict.status.value == expected
        if expected == "posted":
            self.model.end(hold_id, outcome, amount, key, self.today, verdict.capture_transfer_id)

    @rule(days=st.integers(1, 4))
    def pass_days(self, days):
        """Days pass, and holds time out."""
        self.today += timedelta(days=days)
        self.now += timedelta(days=days)
        overdue = [
            hold_id
            for hold_id, deadline in self.tx.execute("select hold_id, deadline_at from ledger.hold").fetchall()
            if not self.model.holds[hold_id].end and deadline <= self.now
        ]
        ended = api.time_out_holds(self.tx, unit="u", today=self.today, now=self.now)
        assert sorted(each.hold_id for each in ended) == sorted(overdue)
        for hold_id in overdue:
            self.model.end(hold_id, "timed_out", 0, f"timeout:{hold_id}", self.today, None)

    @rule()
    def expire(self):
        expected = len(self.model.due(self.today))
        assert len(api.expire_lots(self.tx, unit="u", today=self.today, now=self.now)) == expected
        assert api.expire_lots(self.tx, unit="u", today=self.today, now=self.now) == []
        self.model.expire(self.today)

    @precondition(lambda self: self.model.transfers)
    @rule(which=some, amount=st.none() | st.integers(1, 30), policy=st.sampled_from(list(ReturnPolicy)))
    def undo(self, which, amount, policy):
        transfer_id = sorted(self.model.transfers)[which % len(self.model.transfers)]
        moved = self.model.transfers[transfer_id]
        if moved.kind == "gift":
            if any(lot.rest < 0 for lot in self.model.lots[moved.credit] + self.model.lots[moved.debit]):
                return
            policy = ReturnPolicy.EXACT
        expected, wanted, taken = self.model.plan_return(transfer_id, amount, policy, self.today)
        wish = Reversal(
            transfer_id=transfer_id, idempotency_key=self.key(), effective_on=self.today, reason="", amount=amount,
            policy=policy, **SOURCE,
        )  # fmt: skip
        [verdict] = api.reverse(self.tx, reversals=[wish], now=self.now)
        self.say("reverse", wish, verdict)
        assert verdict.status.value == expected
        if expected in {"posted", "nothing_taken"}:
            assert (verdict.amount, verdict.shortfall) == (taken, wanted - taken)
            self.model.take_back(transfer_id, wanted, taken, policy, self.today, verdict.transfer_id)
            self.model.money += self.money_back(moved, taken)

    def money_back(self, moved, taken):
        """A reversal in one piece undoes the whole leg."""
        if taken != moved.amount or moved.kind == "gift" or not moved.has_money:
            return 0
        return -taken if moved.kind == "earn" else taken

    @precondition(lambda self: self.model.terms)
    @rule(which=some, days=st.sampled_from([None, 2, 40]))
    def settle(self, which, days):
        """A pending lot becomes available, or the expiry of a lot is moved."""
        lot_id = sorted(self.model.terms)[which % len(self.model.terms)]
        expires_on = None if days is None else self.today + timedelta(days=days)
        change = TermChange(
            lot_id=lot_id, idempotency_key=self.key(), terms=Terms(expires_on=expires_on), reason="stayed"
        )
        [status] = api.change_terms(self.tx, changes=[change], now=self.now)
        assert status.value == "posted"
        self.model.settle(lot_id, expires_on or NEVER)

    @precondition(lambda self: self.said)
    @rule(which=some)
    def repeat(self, which):
        """A message that comes twice is answered as the first time and changes nothing."""
        verb, _ = place = sorted(self.said)[which % len(self.said)]
        wish, first = self.said[place]
        if first.transfer_id is None and first.status.value != "nothing_taken":
            return
        if verb == "post":
            [again] = api.post(self.tx, postings=[wish], now=self.now)
        elif verb == "reserve":
            [again] = api.reserve(self.tx, holds=[wish], now=self.now)
        else:
            [again] = api.reverse(self.tx, reversals=[wish], now=self.now)
        assert (again.status.value, again.transfer_id) == ("duplicate", first.transfer_id)

    @invariant()
    def agrees(self):
        held = api.list_holdings(self.tx, account_ids=list(self.accounts.values()))
        for name, account_id in self.accounts.items():
            lots = sorted((each.lot_id, each.rest, each.expires_on or NEVER) for each in held.get(account_id, ()))
            assert lots == sorted((lot.lot_id, lot.rest, lot.expires_on) for lot in self.model.lots[name])
        balances = api.get_balances(self.tx, account_ids=[self.programme, self.liability, *self.accounts.values()])
        expected = [self.model.balance(name) for name in HOLDERS]
        assert balances == [self.model.outside["programme"], self.model.money, *expected]

    @invariant()
    def adds_up(self):
        """Conservation, by a second way of asking."""
        assert store.find_imbalance(self.tx) == []
        assert store.find_unlotted(self.tx) == []
        kinds = {row.kind: row.balance for row in api.trial_balance(self.tx) if row.book is Book.POINTS}
        reserved = sum(lot.rest for lots in self.model.reserved.values() for lot in lots)
        assert (sum(kinds.values()), self.model.total()) == (0, 0)
        assert (kinds.get("reserved", 0), kinds.get("expired", 0)) == (reserved, self.model.outside["expired"])


def run(tx, **changes):
    fields = {
        "max_examples": 25, "stateful_step_count": 30, "deadline": None,
        "suppress_health_check": list(HealthCheck),
    } | changes  # fmt: skip
    run_state_machine_as_test(lambda: Machine(tx), settings=settings(**fields))


def test_any_history_agrees_with_the_model(tx):
    run(tx)


@pytest.mark.soak
def test_very_many_histories_agree_with_the_model(tx):
    run(tx, max_examples=400, stateful_step_count=50)


@pytest.fixture
def owner_tx(shared_database, to_owner):
    """A transaction of the owner's, who alone can replace functions of the ledger; rolled back at the end."""
    with closing(Database(dsn=to_owner(shared_database))) as database, database.connect() as connection:
        connection.execute("begin")
        yield connection
        connection.execute("rollback")


def plant(tx, function, old, new):
    """Put a bug into a function of the database; the transaction's end takes it out again."""
    [(source,)] = tx.execute("select pg_get_functiondef(to_regproc(%s))", (f"ledger.{function}",)).fetchall()
    assert old in source
    tx.execute(source.replace(old, new))


def lose_lots(tx, _):
    plant(
        tx, "write_lots", "where p.new_amount is not null", "where p.new_amount is not null and p.new_amount % 5 <> 0"
    )


def leak(tx, _):
    plant(tx, "post", "h_rests[k] := h_rests[k] - part;", "h_rests[k] := h_rests[k] - (part - part / 10);")


def spend_the_latest(tx, _):
    plant(tx, "load_lots", "order by s.slot, expires_on, o.lot_id", "order by s.slot, expires_on desc, o.lot_id")


def spend_pending(tx, _):
    plant(tx, "post", "h_availables[k] <= day or", "true or")


def forget_ends(_, monkeypatch):
    monkeypatch.setattr(store, "end_holds", lambda *_, **__: None)


def forget_take_backs(_, monkeypatch):
    monkeypatch.setattr(store, "insert_take_backs", lambda *_, **__: None)


def capture_twice_the_lot(_, monkeypatch):
    """The first lot of a hold is captured and given back."""
    plan = rules.plan_ending

    def broken(wish, hold, lots):
        lots = [each for each in lots if each.account_id == hold.reserved_account_id]
        doubled = MovedLot(**{f: getattr(lots[0], f) for f in lots[0].__struct_fields__})
        return plan(wish, hold, [*lots, doubled])

    monkeypatch.setattr(rules, "plan_ending", broken)


@pytest.mark.parametrize(
    "bug",
    [lose_lots, leak, spend_the_latest, spend_pending, forget_ends, forget_take_backs, capture_twice_the_lot],
)
def test_finds_planted_bugs(owner_tx, monkeypatch, bug):
    bug(owner_tx, monkeypatch)
    with pytest.raises((AssertionError, psycopg.Error, ComityError)):
        run(
            owner_tx, max_examples=1_000, derandomize=True, phases=(Phase.generate,), print_blob=False,
            report_multiple_bugs=False,
        )  # fmt: skip
