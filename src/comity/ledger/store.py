"""Statements of the ledger."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from comity.kernel.database import Tx
from comity.kernel.sql import Jsonb, SqlFolder
from comity.ledger import literals
from comity.ledger.reports import Block, PeriodLock, TraceLine, Transfer
from comity.ledger.rows import (
    AccountFacts,
    CheckedBlock,
    DueLot,
    Flow,
    HoldEnd,
    HoldMove,
    HoldState,
    LotTerms,
    MovedLot,
    TakenBack,
    TransferLegs,
)
from comity.ledger.types import (
    AccountKind,
    Book,
    Holding,
    NewAccount,
    Posting,
    PostingStatus,
    PostingVerdict,
    Standing,
    StatementLine,
    TermChange,
    TrialBalanceRow,
)

_sql = SqlFolder(__package__)

_STATUSES = {status.value: status for status in PostingStatus}


def open_accounts(tx: Tx, *, accounts: Sequence[NewAccount], now: datetime) -> list[int]:
    """Open what is not open yet and return the ids of all, in order."""
    _sql.open_accounts.execute(tx, accounts=Jsonb(accounts), opened_at=now)
    return [row[0] for row in _sql.list_account_ids.rows(tx, accounts=Jsonb(accounts))]


def post(tx: Tx, *, postings: Sequence[Posting], now: datetime) -> list[PostingVerdict]:
    """Post a batch in one round trip."""
    if not postings:
        return []
    slot_ids = sorted({each.debit_account_id for each in postings} | {each.credit_account_id for each in postings})
    slots = {account_id: slot for slot, account_id in enumerate(slot_ids, start=1)}
    pieces = [(place, piece) for place, each in enumerate(postings, start=1) for piece in each.pieces]
    rows = _sql.post.rows(
        tx,
        batch=literals.array_of_postings(postings, slots),
        slot_ids=_array(slot_ids),
        piece_places=_array(place for place, _ in pieces),
        piece_lots=_array(piece.lot_id for _, piece in pieces),
        piece_amounts=_array(piece.amount for _, piece in pieces),
        piece_expires_ons=_array(_or_null(piece.terms.expires_on) for _, piece in pieces),
        piece_available_froms=_array(_or_null(literals.available_from(piece.terms)) for _, piece in pieces),
        booked_at=now,
    )
    return [
        PostingVerdict(
            status=_STATUSES[status], transfer_id=transfer_id, debit_balance_after=debit, credit_balance_after=credit
        )
        for status, transfer_id, debit, credit in rows
    ]


def list_balances(tx: Tx, *, account_ids: Sequence[int]) -> dict[int, int]:
    """Return the balances of those accounts that exist."""
    return dict(_sql.list_balances.rows(tx, account_ids=list(account_ids)))


def trial_balance(tx: Tx, *, day: date | None, known_through: int | None) -> list[TrialBalanceRow]:
    """Sum all entries, or those up to a day."""
    rows = (
        _sql.trial_balance.rows(tx)
        if day is None
        else _sql.trial_balance_on.rows(tx, day=day, known_through=known_through)
    )
    return [
        TrialBalanceRow(
            book=Book(book),
            unit=unit,
            kind=AccountKind(kind),
            account_count=accounts,
            entry_count=entries,
            balance=total,
        )
        for book, unit, kind, accounts, entries, total in rows
    ]


def list_entries(tx: Tx, *, account_id: int, before_transfer_id: int | None, limit_max: int) -> list[StatementLine]:
    """Return a page of an account's entries."""
    return _sql.list_entries.fetch(
        tx, StatementLine, account_id=account_id, before_transfer_id=before_transfer_id, limit_max=limit_max
    )


def list_transfers(tx: Tx, *, transfer_ids: Sequence[int]) -> dict[int, TransferLegs]:
    """Return both legs of those transfers that exist."""
    found = _sql.list_transfers.fetch(tx, TransferLegs, transfer_ids=list(transfer_ids))
    return {each.transfer_id: each for each in found}


def lock_accounts(tx: Tx, *, account_ids: Sequence[int]) -> dict[int, AccountFacts]:
    """Keep others from changing the holders among accounts; return what they are."""
    found = _sql.lock_accounts.fetch(tx, AccountFacts, account_ids=list(account_ids))
    return {each.account_id: each for each in found}


def list_holdings(tx: Tx, *, account_ids: Sequence[int]) -> dict[int, list[Holding]]:
    """Return the open lots of accounts in the order of spending."""
    found: dict[int, list[Holding]] = {}
    for each in _sql.list_holdings.fetch(tx, Holding, account_ids=list(account_ids)):
        found.setdefault(each.account_id, []).append(each)
    return found


def list_lasting(tx: Tx, *, account_id: int, day: date) -> tuple[int, list[tuple[int, int]]]:
    """Return the lowest balance of an account from a day on, and what of which lots was there all the time."""
    *lots, (_, lowest) = _sql.list_lasting.rows(tx, account_id=account_id, day=day)
    return lowest, lots


def list_standings(tx: Tx, *, account_ids: Sequence[int], day: date) -> dict[int, Standing]:
    """Return what those accounts that are holders of points can do."""
    found = _sql.list_standings.fetch(tx, Standing, account_ids=list(account_ids), day=day)
    return {each.account_id: each for each in found}


def list_moved_lots(tx: Tx, *, transfer_ids: Sequence[int]) -> dict[int, list[MovedLot]]:
    """Return what transfers moved, lot by lot, less what has been undone."""
    found: dict[int, list[MovedLot]] = {}
    for each in _sql.list_moved_lots.fetch(tx, MovedLot, transfer_ids=list(transfer_ids)):
        found.setdefault(each.transfer_id, []).append(each)
    return found


def insert_holds(tx: Tx, *, holds: Sequence[HoldState]) -> None:
    """Note holds."""
    _sql.insert_holds.execute(tx, holds=Jsonb(holds))


def list_holds(tx: Tx, *, hold_ids: Sequence[int]) -> dict[int, HoldState]:
    """Return those holds that exist."""
    return {each.hold_id: each for each in _sql.list_holds.fetch(tx, HoldState, hold_ids=list(hold_ids))}


def list_overdue_holds(tx: Tx, *, unit: str, now: datetime, limit_max: int) -> list[int]:
    """Return holds of a unit whose deadline has passed."""
    return [row[0] for row in _sql.list_overdue_holds.rows(tx, unit=unit, now=now, limit_max=limit_max)]


def list_open_holds(tx: Tx, *, account_ids: Sequence[int]) -> list[HoldState]:
    """Return the open holds of accounts."""
    return _sql.list_open_holds.fetch(tx, HoldState, account_ids=list(account_ids))


def insert_hold_moves(tx: Tx, *, moves: Sequence[HoldMove]) -> None:
    """Note where holds went."""
    _sql.insert_hold_moves.execute(tx, moves=Jsonb(moves))


def draw_mark(tx: Tx) -> int:
    """Return a number between the transfers so far and those to come."""
    return _sql.draw_mark.value(tx)


def list_terms(tx: Tx, *, lot_ids: Sequence[int]) -> dict[int, LotTerms]:
    """Return the terms of lots."""
    return {each.lot_id: each for each in _sql.list_terms.fetch(tx, LotTerms, lot_ids=list(lot_ids))}


def list_flows(tx: Tx, *, account_ids: Sequence[int], since: int, transfer_ids: Sequence[int]) -> list[Flow]:
    """Return the history of lots touched in accounts since a transfer, or by transfers."""
    return _sql.list_flows.fetch(tx, Flow, account_ids=list(account_ids), since=since, transfer_ids=list(transfer_ids))


def end_holds(tx: Tx, *, ends: Sequence[HoldEnd], now: datetime) -> None:
    """Note how holds ended."""
    _sql.end_holds.execute(tx, ends=Jsonb(ends), ended_at=now)


def list_posted(tx: Tx, *, keys: Sequence[str]) -> dict[str, int]:
    """Return the transfers of those keys that are taken."""
    return dict(_sql.list_posted.rows(tx, keys=list(keys)))


def list_take_backs(tx: Tx, *, keys: Sequence[str]) -> dict[str, TakenBack]:
    """Return what reversals got, by key."""
    return {each.idempotency_key: each for each in _sql.list_take_backs.fetch(tx, TakenBack, keys=list(keys))}


def insert_take_backs(tx: Tx, *, take_backs: Sequence[TakenBack], now: datetime) -> None:
    """Note what reversals got."""
    _sql.insert_take_backs.execute(tx, take_backs=Jsonb(take_backs), booked_at=now)


def find_due_accounts(tx: Tx, *, unit: str, today: date, limit_max: int) -> list[int]:
    """Return accounts with lots that expire: those of so many lots at most."""
    return [row[0] for row in _sql.find_due_accounts.rows(tx, unit=unit, today=today, limit_max=limit_max)]


def list_due_lots(tx: Tx, *, account_ids: Sequence[int], today: date) -> list[DueLot]:
    """Return what expires of accounts."""
    return _sql.list_due_lots.fetch(tx, DueLot, account_ids=list(account_ids), today=today)


def find_imbalance(tx: Tx) -> list[tuple[int, int | None]]:
    """Return accounts, and lots in accounts, whose stored figures disagree with the books."""
    return [(account_id, lot_id) for account_id, lot_id in _sql.find_imbalance.rows(tx)]


def find_known(tx: Tx, *, known_at: datetime) -> int | None:
    """Return the last transfer that was sealed by a moment, or None where nothing has been sealed since."""
    return _sql.find_known.value(tx, known_at=known_at)


def list_balances_on(tx: Tx, *, account_ids: Sequence[int], day: date, known_through: int | None) -> dict[int, int]:
    """Return balances on a day as known at a time."""
    return dict(_sql.balances_on.rows(tx, account_ids=list(account_ids), day=day, known_through=known_through))


def roll_forward(tx: Tx, *, unit: str, first_on: date, last_on: date) -> tuple[int, int, int, int, int, int]:
    """Return opening, issued, redeemed, expired, adjusted, closing."""
    [row] = _sql.roll_forward.rows(tx, unit=unit, first_on=first_on, last_on=last_on)
    opening, issued, redeemed, expired, adjusted, closing = row
    return opening, issued, redeemed, expired, adjusted, closing


def lock_periods(tx: Tx) -> None:
    """Wait for batches that still post, and keep others out."""
    _sql.lock_periods.rows(tx)


def has_unit(tx: Tx, *, book: Book, unit: str) -> bool:
    """Tell whether there are accounts of a unit."""
    return bool(_sql.has_unit.rows(tx, book=book, unit=unit)[0][0])


def find_period(tx: Tx, *, book: Book, unit: str) -> date | None:
    """Return until when the books of a unit are closed."""
    rows = _sql.find_period.rows(tx, book=book, unit=unit)
    return rows[0][0] if rows else None


def list_periods(tx: Tx, *, limit_max: int) -> list[PeriodLock]:
    """Return what closed books and opened them again, newest first."""
    return _sql.list_periods.fetch(tx, PeriodLock, limit_max=limit_max)


def insert_period_lock(
    tx: Tx,
    *,
    book: Book,
    unit: str,
    locked_through: date,
    locked_by: str,
    confirmed_by: str | None,
    reason: str,
    now: datetime,
) -> None:
    """Close or open the books of a unit."""
    _sql.insert_period_lock.execute(
        tx,
        book=book,
        unit=unit,
        locked_through=locked_through,
        locked_at=now,
        locked_by=locked_by,
        confirmed_by=confirmed_by,
        reason=reason,
    )


def find_lot_accounts(tx: Tx, *, lot_ids: Sequence[int]) -> list[int]:
    """Return the accounts lots have been in."""
    return [row[0] for row in _sql.find_lot_accounts.rows(tx, lot_ids=list(lot_ids))]


def change_terms(tx: Tx, *, changes: Sequence[TermChange], now: datetime) -> list[PostingStatus]:
    """Change terms and return what became of each change."""
    rows = [
        {
            "lot_id": each.lot_id,
            "idempotency_key": each.idempotency_key,
            "expires_on": each.terms.expires_on,
            "available_from": literals.available_from(each.terms),
            "reason": each.reason,
        }
        for each in changes
    ]
    return [_STATUSES[row[1]] for row in _sql.change_terms.rows(tx, changes=Jsonb(rows), changed_at=now)]


def is_guarded(tx: Tx) -> bool:
    """True when the role of this session can change nothing that was posted."""
    return _sql.is_guarded.value(tx)


def is_fresh(tx: Tx) -> bool:
    """True while the transaction has written nothing."""
    return _sql.is_fresh.value(tx)


def try_sealing(tx: Tx) -> tuple[bool, int]:
    """Be the only one who seals; return whether we are, and up to where ids have been drawn."""
    [(is_ours, last_transfer_id)] = _sql.try_sealing.rows(tx)
    return is_ours, last_transfer_id


def mark_seal(tx: Tx, *, last_transfer_id: int) -> int:
    """Note up to where ids had been drawn; return up to where all of them are decided."""
    rows = _sql.mark_seal.rows(tx, last_transfer_id=last_transfer_id)
    return rows[0][0] if rows else 0


def seal_block(tx: Tx, *, last_id: int, count_max: int, now: datetime) -> int:
    """Seal the next transfers and notes and return how many."""
    rows = _sql.seal_block.rows(tx, last_id=last_id, count_max=count_max, sealed_at=now)
    return rows[0][0] if rows else 0


def find_last_block(tx: Tx) -> Block | None:
    """Return the end of the chain."""
    return _sql.last_block.fetch_one(tx, Block)


def check_blocks(tx: Tx, *, after_block_number: int, limit_max: int) -> list[CheckedBlock]:
    """Compute a stretch of the chain anew."""
    return _sql.check_blocks.fetch(tx, CheckedBlock, after_block_number=after_block_number, limit_max=limit_max)


def list_lines(tx: Tx, *, first_transfer_id: int, last_transfer_id: int) -> list[str]:
    """Return transfers as they are sealed."""
    rows = _sql.list_lines.rows(tx, first_transfer_id=first_transfer_id, last_transfer_id=last_transfer_id)
    return [row[0] for row in rows]


def list_notes(tx: Tx, *, first_note_id: int, last_note_id: int) -> list[str]:
    """Return what stands beside transfers as it is sealed."""
    return [row[0] for row in _sql.list_notes.rows(tx, first_note_id=first_note_id, last_note_id=last_note_id)]


def list_accounts(tx: Tx, *, after_account_id: int, limit_max: int) -> list[tuple[int, str, str, str, str, int | None]]:
    """Return a page of all accounts: id, book, unit, kind, owner, stored balance."""
    rows = _sql.list_accounts.rows(tx, after_account_id=after_account_id, limit_max=limit_max)
    return [(row[0], row[1], row[2], row[3], row[4], row[5]) for row in rows]


def find_astray_holds(tx: Tx) -> list[int]:
    """Return holds whose state is not what the books say."""
    return [row[0] for row in _sql.find_astray_holds.rows(tx)]


def find_unlotted(tx: Tx) -> list[int]:
    """Return transfers whose lots do not add up."""
    return [row[0] for row in _sql.find_unlotted.rows(tx)]


def count_unsealed(tx: Tx) -> int:
    """Return how many transfers and notes are not sealed yet."""
    return _sql.count_unsealed.value(tx)


def find_transfer(tx: Tx, *, transfer_id: int) -> Transfer | None:
    """Return one transfer."""
    return _sql.get_transfer.fetch_one(tx, Transfer, transfer_id=transfer_id)


def trace_lots(tx: Tx, *, lot_ids: Sequence[int]) -> list[TraceLine]:
    """Return every line of lots."""
    return _sql.trace_lots.fetch(tx, TraceLine, lot_ids=list(lot_ids))


def list_lots_of(tx: Tx, *, transfer_id: int) -> list[int]:
    """Return the lots a transfer touched, and those they came from by a reversal."""
    return [row[0] for row in _sql.list_lots_of.rows(tx, transfer_id=transfer_id)]


def list_caused(tx: Tx, *, system: str, external_id: str, limit_max: int) -> list[int]:
    """Return the transfers a source caused."""
    rows = _sql.list_caused.rows(tx, system=system, external_id=external_id, limit_max=limit_max)
    return [row[0] for row in rows]


def _array(values: Iterable[object]) -> str:
    return "{" + ",".join(map(str, values)) + "}"


def _or_null(value: object) -> object:
    return "null" if value is None else value
