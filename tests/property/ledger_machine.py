"""The verbs that move points, on the real ledger and on the model; the books add up after each step.

What is done for an earlier day comes late: closed books are in `ledger_closing`.
"""

from datetime import UTC, date, datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from comity.ledger import api, store
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
late = st.sampled_from([0, 0, 0, 1, 2, 9])
"""By how many days something is told late."""


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

    def before(self, ago):
        return self.today - timedelta(days=ago)

    def post(self, debit, credit, amount, **changes):
        """Post and return status and transfer."""
        wish = Posting(
            idempotency_key=self.key(), debit_account_id=debit, credit_account_id=credit, amount=amount,
            **({"kind": "any", "effective_on": self.today} | SOURCE | changes),
        )  # fmt: skip
        [verdict] = api.post(self.tx, postings=[wish], now=self.now)
        self.say("post", wish, verdict)
        return verdict.status.value, verdict.transfer_id

    def money(self, amount, *, is_earning):
        legs = (self.revenue, self.liability) if is_earning else (self.liability, self.revenue)
        return MoneyLeg(debit_account_id=legs[0], credit_account_id=legs[1], amount_minor=amount)

    @rule(
        name=names, amount=amounts, days=st.sampled_from([None, 1, 3, 30]), wait=st.sampled_from([0, 0, 2, None]),
        ago=late,
    )  # fmt: skip
    def earn(self, name, amount, days, wait, ago):
        day = self.before(ago)
        terms = Terms(
            expires_on=None if days is None else day + timedelta(days=days),
            available_from=day + timedelta(days=wait) if wait else None,
            is_pending=wait is None,
        )
        money = self.money(amount, is_earning=True)
        status, transfer_id = self.post(
            self.programme, self.accounts[name], amount, terms=terms, money=money, effective_on=day
        )
        assert status == "posted"
        available = NEVER if wait is None else terms.available_from or date.min
        self.model.earn(name, amount, terms.expires_on or NEVER, available, day, transfer_id)

    @rule(name=names, amount=amounts, ago=late)
    def redeem(self, name, amount, ago):
        day = self.before(ago)
        expected = self.model.judge_debit(name, amount, day)
        money = self.money(amount, is_earning=False)
        status, transfer_id = self.post(self.accounts[name], self.programme, amount, money=money, effective_on=day)
        assert status == expected
        if status == "posted":
            self.model.redeem(name, amount, day, transfer_id)

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
    @rule(
        which=some, amount=st.none() | st.integers(1, 30), policy=st.sampled_from(list(ReturnPolicy)), ago=late,
        elsewhere=st.none() | names,
    )  # fmt: skip
    def undo(self, which, amount, policy, ago, elsewhere):
        """What was earned or spent may be undone where the member's points are by now."""
        transfer_id = sorted(self.model.transfers)[which % len(self.model.transfers)]
        moved = self.model.transfers[transfer_id]
        if moved.kind == "gift":
            if any(lot.rest < 0 for lot in self.model.lots[moved.credit] + self.model.lots[moved.debit]):
                return
            policy, elsewhere = ReturnPolicy.EXACT, None
        day = self.before(ago)
        holder = elsewhere or moved.holder
        expected, wanted, taken = self.model.plan_return(transfer_id, holder, amount, policy, day)
        wish = Reversal(
            transfer_id=transfer_id, idempotency_key=self.key(), effective_on=day, reason="", amount=amount,
            policy=policy, account_id=self.accounts[elsewhere] if elsewhere else None, **SOURCE,
        )  # fmt: skip
        [verdict] = api.reverse(self.tx, reversals=[wish], now=self.now)
        self.say("reverse", wish, verdict)
        assert verdict.status.value == expected
        if expected in {"posted", "nothing_taken"}:
            assert (verdict.amount, verdict.shortfall) == (taken, wanted - taken)
            self.model.take_back(transfer_id, holder, wanted, taken, policy, day, verdict.transfer_id)
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
