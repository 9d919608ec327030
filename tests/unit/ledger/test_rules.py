from datetime import date

import pytest

from comity.ledger import rules
from comity.ledger.types import POSTINGS_MAX, Posting, PostingStatus, Reversal, TooManyPostings, TransferLegs


def reversal(transfer_id, key):
    return Reversal(
        transfer_id=transfer_id, idempotency_key=key, effective_on=date(2026, 3, 3), reason="mistake",
        system="comity", external_id="1",
    )  # fmt: skip


def legs(transfer_id, reverses=None):
    return TransferLegs(
        transfer_id=transfer_id, debit_account_id=1, credit_account_id=2, amount=5, reverses_transfer_id=reverses
    )


class TestPlanReversals:
    def test_turns_debit_and_credit_round(self):
        [posting] = rules.plan_reversals([reversal(7, "r")], {7: legs(7)})
        assert isinstance(posting, Posting)
        assert (posting.debit_account_id, posting.credit_account_id, posting.amount) == (2, 1, 5)
        assert posting.reverses_transfer_id == 7

    def test_says_at_once_why_not(self):
        plan = rules.plan_reversals(
            [reversal(7, "a"), reversal(7, "a"), reversal(7, "b"), reversal(8, "c"), reversal(9, "d")],
            {7: legs(7), 8: legs(8, reverses=7)},
        )
        assert [each if isinstance(each, PostingStatus) else "post" for each in plan] == [
            "post", "post", PostingStatus.ALREADY_REVERSED, PostingStatus.INVALID, PostingStatus.INVALID,
        ]  # fmt: skip


def test_a_batch_has_a_limit():
    rules.check_batch([None] * POSTINGS_MAX)
    with pytest.raises(TooManyPostings):
        rules.check_batch([None] * (POSTINGS_MAX + 1))
