"""Decisions of the ledger."""

from collections.abc import Mapping, Sequence

from comity.ledger.types import (
    POSTINGS_MAX,
    Posting,
    PostingStatus,
    Reversal,
    TooManyPostings,
    TransferLegs,
)

REVERSAL_KIND = "reversal"


def check_batch(postings: Sequence[Posting]) -> None:
    """Refuse a batch that is too large."""
    if len(postings) > POSTINGS_MAX:
        raise TooManyPostings(details={"count": len(postings), "count_max": POSTINGS_MAX})


def plan_reversals(reversals: Sequence[Reversal], legs: Mapping[int, TransferLegs]) -> list[Posting | PostingStatus]:
    """Turn each wish into the opposite posting, or say at once why not."""
    plan: list[Posting | PostingStatus] = []
    first_keys: dict[int, str] = {}
    for each in reversals:
        known = legs.get(each.transfer_id)
        if known is None or known.reverses_transfer_id is not None:
            plan.append(PostingStatus.INVALID)
        elif first_keys.setdefault(each.transfer_id, each.idempotency_key) != each.idempotency_key:
            plan.append(PostingStatus.ALREADY_REVERSED)
        else:
            plan.append(
                Posting(
                    idempotency_key=each.idempotency_key,
                    debit_account_id=known.credit_account_id,
                    credit_account_id=known.debit_account_id,
                    amount=known.amount,
                    kind=REVERSAL_KIND,
                    effective_on=each.effective_on,
                    reason=each.reason,
                    system=each.system,
                    external_id=each.external_id,
                    reverses_transfer_id=each.transfer_id,
                )
            )
    return plan
