"""Any history of batches leaves the books as a plain model has them, balanced after each step."""

from datetime import UTC, date, datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comity.ledger import api, store
from comity.ledger.types import AccountKind, Book, NewAccount, Posting, PostingVerdict, Reversal

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
UNKNOWN = -1
PROGRAMME, OTHER_UNIT = 0, 4


class Model:
    """The ledger in forty lines: one posting after the other, no batches, no database."""

    def __init__(self, accounts):
        self.accounts = accounts
        self.units = dict.fromkeys(accounts[:OTHER_UNIT], "points") | {accounts[OTHER_UNIT]: "other"}
        self.balances = dict.fromkeys(accounts, 0)
        self.taken = {}

    def body(self, posting):
        if posting.request is not None:
            return posting.request
        return (
            posting.debit_account_id, posting.credit_account_id, posting.amount, posting.kind, posting.reason,
            posting.system, posting.external_id, posting.reverses_transfer_id,
        )  # fmt: skip

    def after(self, account_id):
        return None if account_id == self.accounts[PROGRAMME] else self.balances[account_id]

    def post(self, posting):
        """Return status and the balances after it."""
        debit, credit, amount = posting.debit_account_id, posting.credit_account_id, posting.amount
        if posting.idempotency_key in self.taken:
            body, after = self.taken[posting.idempotency_key]
            return ("duplicate" if body == self.body(posting) else "key_reused"), after
        if debit == credit or amount <= 0:
            return "invalid", None
        if debit not in self.units or credit not in self.units:
            return "unknown_account", None
        if self.units[debit] != self.units[credit]:
            return "invalid", None
        if debit != self.accounts[PROGRAMME] and self.balances[debit] < amount:
            return "insufficient", (self.after(debit), self.after(credit))
        self.balances[debit] -= amount
        self.balances[credit] += amount
        after = (self.after(debit), self.after(credit))
        self.taken[posting.idempotency_key] = (self.body(posting), after)
        return "posted", after


wishes = st.tuples(
    st.integers(0, 12),  # few keys, so that many meet again
    st.integers(0, 5),
    st.integers(0, 5),
    st.integers(-1, 20),
    st.sampled_from(["", "thanks"]),
    st.sampled_from([None, None, None, "one", "two"]),
)
histories = st.lists(st.lists(wishes, min_size=1, max_size=12), min_size=1, max_size=6)


def open_books(tx):
    member = [(AccountKind.MEMBER, "points", f"m{number}") for number in range(3)]
    kinds = [(AccountKind.PROGRAMME, "points", "p"), *member, (AccountKind.MEMBER, "other", "m0")]
    return api.open_accounts(
        tx,
        accounts=[NewAccount(book=Book.POINTS, unit=unit, kind=kind, owner=owner) for kind, unit, owner in kinds],
        now=NOW,
    )


def to_posting(wish, accounts):
    key, debit, credit, amount, reason, request = wish
    places = [*accounts, UNKNOWN]
    return Posting(
        idempotency_key=f"k{key}", debit_account_id=places[debit], credit_account_id=places[credit], amount=amount,
        kind="any", reason=reason, request=request, effective_on=date(2026, 3, 3), system="shop", external_id="1",
    )  # fmt: skip


def check_books(tx, model):
    assert api.get_balances(tx, account_ids=model.accounts) == [model.balances[each] for each in model.accounts]
    assert store.find_imbalance(tx) == []
    totals = {}
    for row in api.trial_balance(tx):
        totals[row.book, row.unit] = totals.get((row.book, row.unit), 0) + row.balance
    assert set(totals.values()) <= {0}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories)
def test_any_history_agrees_with_the_model(tx, history):
    with tx.transaction(force_rollback=True):
        accounts = open_books(tx)
        model = Model(accounts)
        for batch in history:
            postings = [to_posting(wish, accounts) for wish in batch]
            expected = [model.post(posting) for posting in postings]
            got = api.post(tx, postings=postings, now=NOW)
            assert [verdict.status.value for verdict in got] == [status for status, _ in expected]
            for verdict, (status, after) in zip(got, expected, strict=True):
                if status in {"posted", "duplicate", "insufficient"}:
                    assert (verdict.debit_balance_after, verdict.credit_balance_after) == after
            check_books(tx, model)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(amounts=st.lists(st.integers(1, 50), min_size=1, max_size=10), data=st.data())
def test_reversing_everything_leaves_nothing(tx, amounts, data):
    with tx.transaction(force_rollback=True):
        accounts = open_books(tx)
        model = Model(accounts)
        earned: list[PostingVerdict] = api.post(
            tx,
            postings=[
                to_posting((n, PROGRAMME, 1 + n % 3, amount, "", None), accounts) for n, amount in enumerate(amounts)
            ],
            now=NOW,
        )
        order = data.draw(st.permutations([verdict.transfer_id for verdict in earned]))
        reversals = [
            Reversal(
                transfer_id=transfer_id, idempotency_key=f"r{transfer_id}", effective_on=date(2026, 3, 4), reason="",
                system="shop", external_id="1",
            )
            for transfer_id in order
        ]  # fmt: skip
        split = data.draw(st.integers(0, len(reversals)))
        for part in (reversals[:split], reversals, reversals[split:]):
            assert all(verdict.is_booked for verdict in api.reverse(tx, reversals=part, now=NOW))
        check_books(tx, model)
