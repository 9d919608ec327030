"""The worked example of the guide for accountants, posted line by line."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from comity.ledger import api
from comity.ledger.types import (
    AccountKind,
    Book,
    Capture,
    MoneyLeg,
    NewAccount,
    NewHold,
    Posting,
    Reversal,
    TermChange,
    Terms,
)

GUIDE = Path(__file__).parents[3] / "docs/guides/points-for-accountants.md"
NEW_YEAR = date(2027, 1, 1)


class Story:
    """Ada's account and the money beside it."""

    def __init__(self, tx):
        self.tx = tx
        kinds = [(AccountKind.PROGRAMME, "points"), (AccountKind.MEMBER, "ada")]
        accounts = [NewAccount(book=Book.POINTS, unit="points", kind=kind, owner=owner) for kind, owner in kinds]
        accounts += [
            NewAccount(book=Book.MONEY, unit="EUR", kind=AccountKind.MONEY, owner=owner)
            for owner in ("liability", "revenue")
        ]
        self.programme, self.ada, self.liability, self.revenue = api.open_accounts(tx, accounts=accounts, now=at(2, 1))

    def money(self, cents):
        """Defer cents (or recognise them, below zero)."""
        legs = (self.revenue, self.liability) if cents > 0 else (self.liability, self.revenue)
        return MoneyLeg(debit_account_id=legs[0], credit_account_id=legs[1], amount_minor=abs(cents))

    def post(self, key, points, cents, day, now, terms):
        legs = (self.programme, self.ada) if points > 0 else (self.ada, self.programme)
        wish = Posting(
            idempotency_key=key, debit_account_id=legs[0], credit_account_id=legs[1], amount=abs(points), kind="any",
            effective_on=day, system="till", external_id=key, terms=terms, money=self.money(cents),
        )  # fmt: skip
        [verdict] = api.post(self.tx, postings=[wish], now=now)
        assert verdict.is_booked
        return verdict.transfer_id

    def lots(self):
        held = api.list_holdings(self.tx, account_ids=[self.ada])[self.ada]
        return [(each.rest, each.is_pending or each.available_from is not None) for each in held]

    def roll(self, first_on, last_on):
        return api.roll_forward(self.tx, unit="points", first_on=first_on, last_on=last_on)


def at(month, day, year=2026):
    return datetime(year, month, day, 12, tzinfo=UTC)


@pytest.fixture
def story(tx):
    return Story(tx)


def test_the_worked_example_is_true(story):
    tx = story.tx
    window = Terms(available_from=date(2026, 3, 10))
    story.post("first", 100, 95, date(2026, 2, 3), at(2, 3), Terms(expires_on=NEW_YEAR))
    second = story.post("second", 40, 38, date(2026, 2, 10), at(2, 10), window)
    story.post("redeem", -30, -29, date(2026, 2, 20), at(2, 20), Terms())
    assert story.lots() == [(70, False), (40, True)]
    api.lock_period(tx, unit="points", through=date(2026, 2, 28), by="ada", reason="close", now=at(3, 1))
    half = Reversal(
        transfer_id=second, idempotency_key="return", effective_on=date(2026, 3, 3), reason="returned", amount=20,
        system="till", external_id="second", money=story.money(-19),
    )  # fmt: skip
    assert api.reverse(tx, reversals=[half], now=at(3, 3))[0].amount == 20
    source = {"system": "shop", "external_id": "voucher"}
    hold = NewHold(
        idempotency_key="hold", account_id=story.ada, amount=50, deadline_at=at(3, 7),
        effective_on=date(2026, 3, 5), **source,
    )  # fmt: skip
    hold_id = api.reserve(tx, holds=[hold], now=at(3, 5))[0].transfer_id
    assert story.lots() == [(20, False), (20, True)]
    taken = Capture(
        idempotency_key="take", hold_id=hold_id, credit_account_id=story.programme, amount=45,
        effective_on=date(2026, 3, 6), money=story.money(-43), **source,
    )  # fmt: skip
    assert api.capture(tx, captures=[taken], now=at(3, 6))[0].released == 5
    late = story.post("late", 10, 10, date(2026, 2, 27), at(3, 8), Terms())
    found = api.get_transfer(tx, transfer_id=late)
    assert (found.effective_on, found.original_on) == (date(2026, 3, 1), date(2026, 2, 27))
    assert story.lots() == [(25, False), (20, True), (10, False)]
    change = TermChange(lot_id=second, idempotency_key="window", terms=Terms(), reason="The return window is over.")
    api.change_terms(tx, changes=[change], now=at(3, 10))
    api.expire_lots(tx, unit="points", today=NEW_YEAR, now=at(1, 1, 2027))
    assert story.lots() == [(20, False), (10, False)]
    assert api.get_balances(tx, account_ids=[story.liability]) == [52]
    periods = [
        story.roll(date(2026, 2, 1), date(2026, 2, 28)),
        story.roll(date(2026, 3, 1), date(2026, 3, 31)),
        story.roll(date(2026, 3, 1), NEW_YEAR),
    ]
    text = GUIDE.read_text(encoding="utf-8")
    for sign, name in (("", "opening"), ("+ ", "issued"), ("- ", "redeemed"), ("- ", "expired"), ("+ ", "adjusted")):
        row = " | ".join(str(getattr(each, name)) for each in periods)
        assert f"| {sign}{name} | {row} |" in text
    assert f"| = closing | {' | '.join(str(each.closing) for each in periods)} |" in text
    assert api.verify(tx).problems == []
