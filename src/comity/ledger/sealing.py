"""The hash chain over transfers and what stands beside them.

Sealed off the hot path, checked by anybody, also away from the database.
"""

import json
from collections.abc import Iterator
from datetime import datetime

from comity.kernel.database import Tx
from comity.kernel.errors import Broken
from comity.ledger import proof, store
from comity.ledger.reports import Proof, Trace, Transfer
from comity.ledger.types import UnknownTransfer

TRANSFERS_MAX = 10_000
"""Most transfers of one block, and most notes."""

BLOCKS_MAX = 100
"""Most blocks of one call."""

CHECKED_MAX = 20
ACCOUNTS_MAX = 10_000
CAUSED_MAX = 100


def seal(tx: Tx, *, now: datetime, blocks_max: int = BLOCKS_MAX) -> int:
    """Append to the chain what nobody can add to any more, and return how many transfers and notes. Repeatable.

    Notes are accounts, changed terms, holds and their ends, take-backs, closed periods. What was
    noted before there were notes in the chain is sealed by the next blocks. All of it is sealed by the second call
    after it was committed: the first notes up to where numbers have been drawn, the next seals up to there once
    everybody who might have drawn one of them has ended. Postings never wait for it.
    The transaction must be its own. Somebody else who seals is left to it.
    """
    if not store.is_fresh(tx):
        raise Broken("Sealing wants a transaction of its own.")
    is_ours, drawn = store.try_sealing(tx)
    if not is_ours:
        return 0
    decided = store.mark_seal(tx, last_transfer_id=drawn)
    count = 0
    for _ in range(blocks_max):
        sealed = store.seal_block(tx, last_id=decided, count_max=TRANSFERS_MAX, now=now)
        count += sealed
        if not sealed:
            break
    return count


def verify(tx: Tx, *, anchor: tuple[int, str] | None = None) -> Proof:
    """Check the whole ledger: the chain, lots and their terms, holds and balances against what was posted and noted.

    `anchor` is a block number and the digest it had when somebody noted it elsewhere: with it even a chain that was
    written anew is found out.
    """
    problems: list[str] = []
    after, transfers, notes, head = 0, 0, 0, ""
    while True:
        page = store.check_blocks(tx, after_block_number=after, limit_max=CHECKED_MAX)
        if not page:
            break
        for each in page:
            problems += proof.judge_block(each, after=after, anchor=anchor)
            after, transfers, head = each.block_number, each.total_count, each.digest
            notes += each.note_count
    if anchor and anchor[0] > after:
        problems.append(f"block {anchor[0]} of the anchor is missing: the chain ends with block {after}")
    problems += [f"transfer {each}: its lots do not add up" for each in store.find_unlotted(tx)]
    problems += [proof.tell_imbalance(account_id, lot_id) for account_id, lot_id in store.find_imbalance(tx)]
    problems += [f"hold {each}: its state is not what the books say" for each in store.find_astray_holds(tx)]
    problems += proof.judge_trial_balance(store.trial_balance(tx, day=None, known_through=None))
    return Proof(
        block_count=after,
        transfer_count=transfers,
        note_count=notes,
        unsealed_count=store.count_unsealed(tx),
        head_digest=head,
        problems=problems,
    )


def export(tx: Tx) -> Iterator[str]:
    """Yield the sealed ledger line by line; `check_export` proves it without any database.

    First the accounts, for reading; then each transfer and each note as it was sealed (accounts are among the notes),
    and after those of a block the block itself.
    """
    yield json.dumps({"comity_ledger": proof.EXPORT_FORMAT})
    after = 0
    while page := store.list_accounts(tx, after_account_id=after, limit_max=ACCOUNTS_MAX):
        for account_id, book, unit, kind, owner, _ in page:
            yield json.dumps(
                {"account": {"account_id": account_id, "book": book, "unit": unit, "kind": kind, "owner": owner}},
                ensure_ascii=False,
            )
        after = page[-1][0]
    number = 0
    while blocks := store.check_blocks(tx, after_block_number=number, limit_max=CHECKED_MAX):
        for each in blocks:
            yield from store.list_lines(
                tx, first_transfer_id=each.first_transfer_id, last_transfer_id=each.last_transfer_id
            )
            yield from store.list_notes(tx, first_note_id=each.first_note_id, last_note_id=each.last_note_id)
            yield json.dumps(
                {
                    "block": {
                        "block_number": each.block_number,
                        "first_transfer_id": each.first_transfer_id,
                        "last_transfer_id": each.last_transfer_id,
                        "transfer_count": each.transfer_count,
                        "note_count": each.note_count,
                        "digest": each.digest,
                    }
                }
            )
        number = blocks[-1].block_number


def get_transfer(tx: Tx, *, transfer_id: int) -> Transfer:
    """Return one transfer. Raises UnknownTransfer."""
    found = store.find_transfer(tx, transfer_id=transfer_id)
    if found is None:
        raise UnknownTransfer(details={"transfer_id": transfer_id})
    return found


def trace(tx: Tx, *, transfer_id: int) -> Trace:
    """Return a transfer with the whole story of its lots: back to the accruals, forward to what became of them.

    A lot that a reversal made comes with the lots of what was reversed. Raises UnknownTransfer.
    """
    transfer = get_transfer(tx, transfer_id=transfer_id)
    lots = store.list_lots_of(tx, transfer_id=transfer_id)
    return Trace(transfer=transfer, lines=store.trace_lots(tx, lot_ids=lots))


def list_caused(tx: Tx, *, system: str, external_id: str) -> list[int]:
    """Return the transfers that a source caused, the first 100 of them. Reads all. Raises UnknownTransfer."""
    found = store.list_caused(tx, system=system, external_id=external_id, limit_max=CAUSED_MAX)
    if not found:
        raise UnknownTransfer(details={"system": system, "external_id": external_id})
    return found
