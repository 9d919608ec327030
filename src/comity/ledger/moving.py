"""All that an account holds moves to another: lots with their terms, debts, open holds; and is parted again."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from comity.kernel.database import Tx
from comity.ledger import rules, store
from comity.ledger.rows import HoldMove
from comity.ledger.types import Move, Posting, PostingStatus, PostingVerdict


def move_all(tx: Tx, *, moves: Sequence[Move], now: datetime) -> list[list[PostingVerdict]]:
    """Move everything from accounts to others, in order, and return the verdicts of each move's transfers.

    One transfer for the lots, another, the other way, for what is owed: the target's points pay it, and what they do
    not cover is owed by the target. One more for each open hold: from then on it is captured and released at the
    target. None where there is nothing. Repetition with the same key moves nothing more. Raises TooManyPostings.
    """
    rules.check_batch(moves)
    touched = {each.source_account_id for each in moves} | {each.target_account_id for each in moves}
    facts = store.lock_accounts(tx, account_ids=sorted(touched))
    verdicts: list[list[PostingVerdict]] = []
    for wave in _in_waves(moves):
        sources = [each.source_account_id for each in wave]
        held = store.list_holdings(tx, account_ids=sources)
        planned: list[list[Posting]] = [rules.plan_move(each, held.get(each.source_account_id, [])) for each in wave]
        holds = store.list_open_holds(tx, account_ids=sources)
        lots = store.list_moved_lots(tx, transfer_ids=[each.hold_id for each in holds]) if holds else {}
        gone: dict[str, HoldMove] = {}
        for place, move in enumerate(wave):
            for hold in holds:
                if hold.account_id == move.source_account_id:
                    wish = rules.plan_reserved_account(facts[move.target_account_id])
                    [reserved_id] = store.open_accounts(tx, accounts=[wish], now=now)
                    posting = rules.plan_hold_move(move, hold, lots[hold.hold_id], reserved_id)
                    planned[place].append(posting)
                    gone[posting.idempotency_key] = HoldMove(
                        transfer_id=0,
                        hold_id=hold.hold_id,
                        account_id=move.target_account_id,
                        reserved_account_id=reserved_id,
                    )
        booked = dict(
            zip(
                [each.idempotency_key for postings in planned for each in postings],
                store.post(tx, postings=[each for postings in planned for each in postings], now=now),
                strict=True,
            )
        )
        note_hold_moves(tx, gone={key: each for key, each in gone.items() if _is_new(booked[key])}, booked=booked)
        verdicts += [[booked[each.idempotency_key] for each in postings] for postings in planned]
    return verdicts


def note_hold_moves(tx: Tx, *, gone: dict[str, HoldMove], booked: dict[str, PostingVerdict]) -> None:
    """Note where holds went, by the keys of the transfers that moved them."""
    if gone:
        notes = [
            HoldMove(
                transfer_id=booked[key].transfer_id or 0,
                hold_id=each.hold_id,
                account_id=each.account_id,
                reserved_account_id=each.reserved_account_id,
            )
            for key, each in gone.items()
        ]
        store.insert_hold_moves(tx, moves=notes)


def draw_mark(tx: Tx) -> int:
    """Return a number above the transfers so far and below all that this transaction posts from now on."""
    return store.draw_mark(tx)


def _is_new(verdict: PostingVerdict) -> bool:
    return verdict.status is PostingStatus.POSTED


def _in_waves(moves: Sequence[Move]) -> Iterator[list[Move]]:
    """Part moves where one starts from what another has changed, keeping their order."""
    wave: list[Move] = []
    changed: set[int] = set()
    for move in moves:
        if move.source_account_id in changed:
            yield wave
            wave, changed = [], set()
        wave.append(move)
        changed |= {move.source_account_id, move.target_account_id}
    if wave:
        yield wave
