"""What is done to the books as a whole: closed, opened again, sealed, one's moved to another's, looked back at.

What was the balance on some day, as it was known on another? What changed in a period? The model answers from its own
journal.
"""

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from comity.kernel.errors import ComityError
from comity.ledger import api, store
from comity.ledger.types import Book, Move
from tests.property.ledger_machine import FIRST_DAY, HOLDERS, SOURCE, START, Machine, names, some

BLOCK_MAX = 7
KINDS = {"member": ("ada", "bob"), "pool": ("pool",), "reserved": ("reserved",), "expired": ("expired",)}

agos = st.integers(-1, 12)


def name_refusal(verb, *args, **wish):
    """Return the name of the error a verb is refused with."""
    try:
        verb(*args, **wish)
    except ComityError as error:
        return type(error).__name__
    return None


class ClosingMachine(Machine):
    """Those verbs, and the books over time."""

    @rule(ago=agos)
    def close(self, ago):
        through = self.before(ago)
        expected = self.model.journal.judge_closing(through, self.today)
        wish = {"unit": "u", "through": through, "by": "ada", "reason": "", "now": self.now}
        assert name_refusal(api.lock_period, self.tx, **wish) == expected
        if expected is None:
            self.model.journal.closed_through = through

    @precondition(lambda self: self.model.journal.closed_through)
    @rule(ago=agos, confirmed_by=st.sampled_from(["bob", "Ada", ""]))
    def reopen(self, ago, confirmed_by):
        through = self.before(ago)
        expected = self.model.journal.judge_opening(through, by_two=confirmed_by == "bob")
        wish = {"unit": "u", "through": through, "by": "ada", "confirmed_by": confirmed_by, "reason": "error"}
        assert name_refusal(api.reopen_period, self.tx, now=self.now, **wish) == expected
        if expected is None:
            self.model.journal.closed_through = through

    @rule(loser=names, survivor=names)
    def merge(self, loser, survivor):
        """All that one holds goes to another: lots, debts, holds."""
        if loser == survivor:
            return
        wish = Move(
            source_account_id=self.accounts[loser], target_account_id=self.accounts[survivor],
            idempotency_key=self.key(), kind="merge", effective_on=self.today, **SOURCE,
        )  # fmt: skip
        [verdicts] = api.move_all(self.tx, moves=[wish], now=self.now)
        assert {each.status.value for each in verdicts} <= {"posted"}
        posted = store.list_transfers(self.tx, transfer_ids=[each.transfer_id for each in verdicts])
        debts = [each for each, legs in posted.items() if legs.debit_account_id == self.accounts[survivor]]
        self.model.move_all(loser, survivor, self.today, debts[0] if debts else None)
        assert api.get_balances(self.tx, account_ids=[self.accounts[loser]]) == [0]
        held = store.list_open_holds(self.tx, account_ids=[self.accounts[survivor]])
        holds = {hold_id for hold_id, hold in self.model.holds.items() if hold.account == survivor and not hold.end}
        assert {each.hold_id for each in held} == holds

    @rule()
    def seal(self):
        """In one transaction with all the rest: that nobody can add to what is sealed is tested elsewhere."""
        _, drawn = store.try_sealing(self.tx)
        sealed = 0
        while count := store.seal_block(self.tx, last_id=drawn, count_max=BLOCK_MAX, now=self.now):
            sealed += count
        if sealed:
            self.model.journal.seal(self.now)
        for proof in (api.verify(self.tx), api.check_export(api.export(self.tx))):
            assert (proof.problems, proof.unsealed_count) == ([], 0)

    @rule(ago=agos, which=some, earlier=st.sampled_from([0, 1]))
    def look_back(self, ago, which, earlier):
        """What was known then is told the same for good."""
        times = [START, *(sealed_at for sealed_at, _ in self.model.journal.seals), self.now]
        known_at = times[which % len(times)] - timedelta(seconds=earlier)
        day = self.before(ago)
        count = self.model.journal.count_known(known_at)
        asked = {"day": day, "known_at": known_at}
        if count is None:
            assert name_refusal(api.trial_balance, self.tx, **asked) == "NotYetKnown"
            return
        self.compare(self.model.journal.balances(day, count), **asked)

    @invariant()
    def agrees_on_days(self):
        """Balances of a day that has passed, or of the day the books are closed through, and what changed them."""
        journal = self.model.journal
        day = (self.before(2), journal.closed_through or self.today)[self.count % 2]
        self.compare(journal.balances(day), day=day)
        first_on = min(day, FIRST_DAY + timedelta(days=2))
        told = api.roll_forward(self.tx, unit="u", first_on=first_on, last_on=day)
        found = (told.opening, told.issued, told.redeemed, told.expired, told.adjusted, told.closing)
        assert found == journal.roll_forward(first_on, day)

    def compare(self, balances, **asked):
        account_ids = [self.programme, *self.accounts.values()]
        expected = [balances[name] for name in ("programme", *HOLDERS)]
        assert api.get_balances_on(self.tx, account_ids=account_ids, **asked) == expected
        found = {row.kind.value: row.balance for row in api.trial_balance(self.tx, **asked) if row.book is Book.POINTS}
        for kind, members in KINDS.items():
            assert found.get(kind, 0) == sum(balances[name] for name in members)
