"""Reversals: what was earned is taken back from its lots, what was spent comes back into its lots."""

from collections.abc import Sequence
from datetime import datetime

from comity.kernel.database import Tx
from comity.ledger import returns, rules, store
from comity.ledger.rows import TakenBack
from comity.ledger.types import PostingStatus, Reversal, ReversalVerdict


def reverse(tx: Tx, *, reversals: Sequence[Reversal], now: datetime) -> list[ReversalVerdict]:
    """Undo transfers, whole or in part, by new ones that name them, in order; return one verdict each.

    Together, reversals of a transfer never exceed it (`already_reversed`), and none undoes a reversal or a hold
    (`invalid`). Points that were earned are taken from the lots of that accrual first; the policy says what happens
    when they are spent. Points that were spent go back into the lots they came from, the one that expires last first.
    Repetition with the same key answers as the first time, also when nothing was taken. Raises TooManyPostings.
    """
    rules.check_batch(reversals)
    legs = store.list_transfers(tx, transfer_ids=[each.transfer_id for each in reversals]) if reversals else {}
    touched = [returns.find_account(each, legs.get(each.transfer_id)) for each in reversals]
    verdicts: dict[int, ReversalVerdict] = {}
    for wave in rules.in_waves(touched):
        answered = _reverse_wave(tx, reversals=[reversals[place] for place in wave], now=now)
        verdicts |= dict(zip(wave, answered, strict=True))
    return [verdicts[place] for place in range(len(reversals))]


def _reverse_wave(tx: Tx, *, reversals: Sequence[Reversal], now: datetime) -> list[ReversalVerdict]:
    """Undo transfers that touch different accounts."""
    transfer_ids = [each.transfer_id for each in reversals]
    legs = store.list_transfers(tx, transfer_ids=transfer_ids)
    accounts = returns.list_accounts(reversals, legs)
    store.lock_accounts(tx, account_ids=accounts)
    legs = store.list_transfers(tx, transfer_ids=transfer_ids)
    known = store.list_take_backs(tx, keys=[each.idempotency_key for each in reversals])
    lots = store.list_moved_lots(tx, transfer_ids=transfer_ids)
    holdings = store.list_holdings(tx, account_ids=accounts)
    plans = [
        returns.plan_reversal(
            each,
            legs.get(each.transfer_id),
            known.get(each.idempotency_key),
            lots.get(each.transfer_id, ()),
            holdings,
        )
        for each in reversals
    ]
    postings = [each.posting for each in plans if each.posting]
    booked = iter(store.post(tx, postings=postings, now=now))
    verdicts: list[ReversalVerdict] = []
    notes: list[TakenBack] = []
    for plan in plans:
        posted = next(booked) if plan.posting else None
        verdicts.append(returns.to_verdict(plan, posted))
        if plan.note and verdicts[-1].status in {PostingStatus.POSTED, PostingStatus.NOTHING_TAKEN}:
            notes.append(returns.complete(plan.note, posted))
    if notes:
        store.insert_take_backs(tx, take_backs=notes, now=now)
    return verdicts
