from datetime import UTC, date, datetime

import pytest

from comity.ledger import returns, rules
from comity.ledger.rows import Ending, HoldState, MovedLot, TakenBack, TransferLegs
from comity.ledger.types import (
    POSTINGS_MAX,
    AccountKind,
    Holding,
    HoldOutcome,
    PostingStatus,
    ReturnPolicy,
    Reversal,
    TooManyPostings,
)

DAY = date(2026, 3, 3)
NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)


def reversal(**changes):
    fields = {
        "transfer_id": 7, "idempotency_key": "r", "effective_on": DAY, "reason": "mistake", "system": "comity",
        "external_id": "1",
    } | changes  # fmt: skip
    return Reversal(**fields)


def earned(**changes):
    fields = {
        "transfer_id": 7, "debit_account_id": 1, "credit_account_id": 2, "amount": 50, "reverses_transfer_id": None,
        "debit_kind": AccountKind.PROGRAMME, "credit_kind": AccountKind.MEMBER,
    } | changes  # fmt: skip
    return TransferLegs(**fields)


def spent(**changes):
    kinds = {"debit_kind": AccountKind.MEMBER, "credit_kind": AccountKind.PROGRAMME}
    return earned(**({"debit_account_id": 2, "credit_account_id": 1} | kinds | changes))


def holding(lot_id, rest, **changes):
    fields = {"account_id": 2, "expires_on": None, "available_from": None, "is_pending": False} | changes
    return Holding(lot_id=lot_id, rest=rest, **fields)


def moved(lot_id, amount, **changes):
    fields = {
        "transfer_id": 7, "account_id": 2, "expires_on": None, "available_from": None, "is_pending": False
    } | changes  # fmt: skip
    return MovedLot(lot_id=lot_id, amount=amount, **fields)


def take_back(holdings, **changes):
    lots = [moved(7, 50)]
    return returns.plan_reversal(reversal(**changes), earned(), None, lots, {2: holdings})


def to_pairs(posting):
    return [(each.lot_id, each.amount) for each in posting.pieces]


class TestTakingBack:
    def test_turns_the_legs_round_and_names_the_lot(self):
        posting = take_back([holding(3, 20), holding(7, 50)]).posting
        assert (posting.debit_account_id, posting.credit_account_id, posting.amount) == (2, 1, 50)
        assert (posting.reverses_transfer_id, to_pairs(posting)) == (7, [(7, 50)])

    @pytest.mark.parametrize(
        ("policy", "amount", "may_owe"),
        [
            (ReturnPolicy.EXACT, 50, False),
            (ReturnPolicy.WITHIN_BALANCE, 25, False),
            (ReturnPolicy.ALLOW_NEGATIVE, 50, True),
        ],
    )
    def test_of_spent_points_follows_the_policy(self, policy, amount, may_owe):
        plan = take_back([holding(3, 15), holding(7, 10), holding(9, 99, is_pending=True)], policy=policy)
        assert (plan.posting.amount, plan.posting.may_owe, to_pairs(plan.posting)) == (amount, may_owe, [(7, 10)])
        assert (plan.note.wanted, plan.note.taken) == (50, amount)

    def test_of_pending_points_only(self):
        pending = take_back([holding(3, 15), holding(7, 40, is_pending=True)], policy=ReturnPolicy.ONLY_PENDING)
        assert (pending.posting.amount, to_pairs(pending.posting)) == (40, [(7, 40)])
        settled = take_back([holding(7, 50)], policy=ReturnPolicy.ONLY_PENDING)
        assert settled.posting is None
        assert returns.to_verdict(settled, None).status is PostingStatus.NOTHING_TAKEN
        assert returns.to_verdict(settled, None).shortfall == 50

    def test_in_parts(self):
        plan = take_back([holding(7, 50)], amount=20)
        assert (plan.posting.amount, to_pairs(plan.posting)) == (20, [(7, 20)])

    @pytest.mark.parametrize(
        ("wish", "legs", "status"),
        [
            (reversal(), None, PostingStatus.INVALID),
            (reversal(), earned(reverses_transfer_id=3), PostingStatus.INVALID),
            (reversal(), earned(debit_kind=AccountKind.RESERVED), PostingStatus.INVALID),
            (reversal(amount=0), earned(), PostingStatus.INVALID),
            (reversal(idempotency_key=""), earned(), PostingStatus.INVALID),
            (reversal(), earned(reversed_amount=50), PostingStatus.ALREADY_REVERSED),
            (reversal(amount=21), earned(reversed_amount=30), PostingStatus.ALREADY_REVERSED),
        ],
    )
    def test_says_at_once_why_not(self, wish, legs, status):
        assert returns.plan_reversal(wish, legs, None, (), {}).answer.status is status

    def test_answers_a_known_key(self):
        known = TakenBack(
            idempotency_key="r", transfer_id=7, wanted=50, taken=20, policy="exact", reversal_transfer_id=9
        )
        answer = returns.plan_reversal(reversal(), earned(reversed_amount=50), known, (), {}).answer
        assert (answer.status, answer.amount, answer.shortfall) == (PostingStatus.DUPLICATE, 20, 30)
        other = returns.plan_reversal(reversal(transfer_id=8), earned(), known, (), {}).answer
        assert other.status is PostingStatus.KEY_REUSED


class TestGivingBack:
    LOTS = (
        moved(3, -20, expires_on=date(2026, 3, 1)),
        moved(4, -25, expires_on=date(2026, 9, 1)),
        moved(5, -5),
    )

    def test_goes_into_the_lots_it_came_from_the_last_first(self):
        plan = returns.plan_reversal(reversal(amount=40), spent(), None, self.LOTS, {})
        assert (plan.posting.debit_account_id, plan.posting.credit_account_id) == (1, 2)
        assert to_pairs(plan.posting) == [(5, 5), (4, 25), (3, 10)]
        assert plan.posting.pieces[2].terms.expires_on == date(2026, 3, 1)

    def test_of_a_capture_goes_to_the_member(self):
        legs = spent(debit_account_id=8, debit_kind=AccountKind.RESERVED, held_account_id=2)
        assert returns.plan_reversal(reversal(), legs, None, self.LOTS, {}).posting.credit_account_id == 2


class TestHolds:
    HOLD = HoldState(hold_id=7, account_id=2, reserved_account_id=8, amount=50, deadline_at=NOW)

    def ending(self, **changes):
        fields = {
            "outcome": HoldOutcome.CAPTURED, "idempotency_key": "c", "hold_id": 7, "effective_on": DAY, "system": "s",
            "external_id": "1", "reason": "", "kind": "redeem", "credit_account_id": 1,
        } | changes  # fmt: skip
        return Ending(**fields)

    def test_capture_in_part_gives_the_rest_back(self):
        lots = [moved(3, -20), moved(4, -30), moved(3, 20, account_id=8), moved(4, 30, account_id=8)]
        plan = rules.plan_ending(self.ending(amount=25), self.HOLD, lots)
        assert (to_pairs(plan.capture), to_pairs(plan.release)) == ([(3, 20), (4, 5)], [(4, 25)])
        assert (plan.capture.credit_account_id, plan.release.credit_account_id) == (1, 2)
        whole = rules.plan_ending(self.ending(), self.HOLD, lots)
        assert (whole.capture.amount, whole.release) == (50, None)

    @pytest.mark.parametrize("amount", [0, -1, 51])
    def test_refuses_to_capture_what_is_not_held(self, amount):
        verdict = rules.judge_ending(self.ending(amount=amount), self.HOLD, now=datetime(2026, 3, 3, tzinfo=UTC))
        assert verdict.status is PostingStatus.INVALID

    def test_refuses_to_capture_after_the_deadline(self):
        assert rules.judge_ending(self.ending(), self.HOLD, now=NOW).status is PostingStatus.OVERDUE


def test_a_batch_has_a_limit():
    rules.check_batch([None] * POSTINGS_MAX)
    with pytest.raises(TooManyPostings):
        rules.check_batch([None] * (POSTINGS_MAX + 1))
