"""Postings as a literal of the database, written in one go: adapting them value by value costs ten times as much."""

from collections.abc import Mapping, Sequence

from comity.ledger.types import Posting, Takes, Terms

_ESCAPES = str.maketrans({"\\": r"\\\\", '"': r"\\\""})
"""Of a text within a row within an array, quoted in both."""


def array_of_postings(postings: Sequence[Posting], slots: Mapping[int, int]) -> str:
    """Return the literal of an array of `ledger.posting`; `slots` are the places of accounts, by account id."""
    return "{" + ",".join([_row(each, slots) for each in postings]) + "}"


def available_from(terms: Terms) -> object:
    """Return from when a lot can be spent: a day, infinity while an event is awaited, or None."""
    return "infinity" if terms.is_pending else terms.available_from


def _row(posting: Posting, slots: Mapping[int, int]) -> str:
    debit, credit, money, terms = posting.debit_account_id, posting.credit_account_id, posting.money, posting.terms
    takes = "" if posting.takes is Takes.SPENDABLE else posting.takes.value
    is_reversal = posting.reverses_transfer_id is not None
    reversal = f"{posting.reverses_transfer_id},{posting.reversal_number}" if is_reversal else ","
    booked = ",," if money is None else f"{money.debit_account_id},{money.credit_account_id},{money.amount_minor}"
    return (
        f'"({_text(posting.idempotency_key)},{"" if posting.request is None else _text(posting.request)},'
        f"{slots[debit]},{slots[credit]},{debit},{credit},{posting.amount},{_text(posting.kind)},"
        f"{_text(posting.reason)},{posting.effective_on},{_text(posting.system)},{_text(posting.external_id)},"
        f"{reversal},{takes},{'t' if posting.may_owe else ''},{_value(terms.expires_on)},"
        f'{_value(available_from(terms))},{booked})"'
    )


def _text(value: str) -> str:
    if '"' in value or "\\" in value:
        value = value.translate(_ESCAPES)
    return f'\\"{value}\\"'


def _value(value: object) -> object:
    return "" if value is None else value
