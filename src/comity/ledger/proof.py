"""Checking the books without a database: an export proves itself, by hashing its own lines."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any, cast

from comity.ledger.reports import Proof
from comity.ledger.rows import CheckedBlock
from comity.ledger.types import HOLDERS, Book, TrialBalanceRow

EXPORT_FORMAT = 2
FORMATS_READ = {1, EXPORT_FORMAT}
"""The first format has no notes."""

SIDES = ("debit", "credit", "money_debit", "money_credit")
IDENTITY = ("book", "unit", "kind", "owner")
"""What an account is, for good."""

PROBLEMS_MAX = 100


def judge_block(block: CheckedBlock, *, after: int, anchor: tuple[int, str] | None) -> list[str]:
    """Say what is wrong with a block of the chain; `after` is the block seen before it."""
    name = (
        f"block {block.block_number} (transfers {block.first_transfer_id} to {block.last_transfer_id}, "
        f"notes {block.first_note_id} to {block.last_note_id})"
    )
    problems: list[str] = []
    if block.block_number != after + 1 or not block.is_linked:
        problems.append(f"{name} does not follow block {after}")
    if block.found_count != block.transfer_count:
        problems.append(f"{name} had {block.transfer_count} transfers, now there are {block.found_count}")
    if block.found_note_count != block.note_count:
        problems.append(f"{name} had {block.note_count} notes, now there are {block.found_note_count}")
    is_complete = (block.found_count, block.found_note_count) == (block.transfer_count, block.note_count)
    if is_complete and block.found_digest != block.digest:
        problems.append(f"{name} holds a transfer or a note that was changed")
    if anchor and anchor[0] == block.block_number and anchor[1].lower() != block.digest:
        problems.append(f"{name} is not the one that was anchored")
    return problems


def judge_trial_balance(rows: Sequence[TrialBalanceRow]) -> list[str]:
    """Say which units do not sum to zero."""
    sums: dict[tuple[Book, str], int] = {}
    for row in rows:
        sums[row.book, row.unit] = sums.get((row.book, row.unit), 0) + row.balance
    return [f"{book} {unit}: all entries sum to {total}" for (book, unit), total in sorted(sums.items()) if total]


def tell_imbalance(account_id: int, lot_id: int | None) -> str:
    """Say what of an account is not what the books say: its balance, or what is open of a lot."""
    if lot_id is None:
        return f"account {account_id}: its balance is not what the books say"
    return f"account {account_id}: rest or terms of lot {lot_id} are not what the books say"


class _Reader:
    """Reads an export line by line and keeps what the checks need."""

    def __init__(self, anchor: tuple[int, str] | None) -> None:
        self.anchor = anchor
        self.problems: list[str] = []
        self.accounts: dict[int, dict[str, Any]] = {}
        self.named: set[int] = set()
        self.sealed: set[int] = set()
        self.lots: dict[tuple[int, int], int] = {}
        self.debts: set[int] = set()
        self.keys: set[str] = set()
        self.digest = b""
        self.hashes: list[bytes] = []
        self.last_transfer_id = 0
        self.block_count = 0
        self.transfer_count = 0
        self.note_count = 0
        self.block_notes = 0

    def read(self, line: str) -> None:
        text = line.rstrip("\n")
        try:
            value = cast("dict[str, Any]", json.loads(text))
            if "note" in value:
                self.hashes.append(hashlib.sha256(text.encode()).digest())
                self._read_note(value)
            elif "account" in value:
                self.accounts[value["account"]["account_id"]] = value["account"]
            elif "block" in value:
                self._read_block(value["block"])
            elif "transfer_id" in value:
                self.hashes.append(hashlib.sha256(text.encode()).digest())
                self._read_transfer(value)
            elif value.get("comity_ledger") not in FORMATS_READ:
                self.problems.append(f"a line is of no kind that is known: {text[:80]}")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self.problems.append(f"a line cannot be read ({type(error).__name__}): {text[:80]}")

    def _read_note(self, value: dict[str, Any]) -> None:
        self.note_count += 1
        self.block_notes += 1
        if value["note"] == "account":
            account_id = value["account_id"]
            self.sealed.add(account_id)
            if any(self.accounts[account_id][each] != value[each] for each in IDENTITY):
                self.problems.append(f"account {account_id} is not what was sealed")

    def _read_transfer(self, value: dict[str, Any]) -> None:
        name = f"transfer {value['transfer_id']}"
        if value["transfer_id"] <= self.last_transfer_id:
            self.problems.append(f"{name} is out of order")
        if value["idempotency_key"] in self.keys:
            self.problems.append(f"{name} has a key that was used before")
        self.last_transfer_id = value["transfer_id"]
        self.keys.add(value["idempotency_key"])
        self.transfer_count += 1
        legs = [(value["debit"], -value["amount"]), (value["credit"], value["amount"])]
        self.named.update(value[each] for each in SIDES if value[each] is not None)
        if len({(self.accounts[each]["book"], self.accounts[each]["unit"]) for each, _ in legs}) != 1:
            self.problems.append(f"{name} crosses units")
        moved = {account_id: amount for account_id, amount in legs if self._keeps_lots(account_id)}
        lines = cast("list[tuple[int, int, int]]", value["lots"] or [])
        if value["lot_amount"]:
            lines = [(value["transfer_id"], value["credit"], value["lot_amount"]), *lines]
        elif any(lot_id == value["transfer_id"] and amount < 0 for lot_id, _, amount in lines):
            self.debts.add(value["transfer_id"])
        for lot_id, account_id, amount in lines:
            moved[account_id] = moved.get(account_id, 0) - amount
            self.lots[account_id, lot_id] = self.lots.get((account_id, lot_id), 0) + amount
        if any(moved.values()):
            self.problems.append(f"{name}: its lots do not add up")

    def _keeps_lots(self, account_id: int) -> bool:
        account = self.accounts[account_id]
        return account["book"] == Book.POINTS and account["kind"] in HOLDERS

    def _read_block(self, value: dict[str, Any]) -> None:
        self.digest = hashlib.sha256(self.digest + b"".join(self.hashes)).digest()
        name = f"block {value['block_number']}"
        if value["block_number"] != self.block_count + 1:
            self.problems.append(f"{name} does not follow block {self.block_count}")
        transfers, notes = len(self.hashes) - self.block_notes, value.get("note_count", 0)
        if value["transfer_count"] != transfers:
            self.problems.append(f"{name} has {transfers} transfers instead of {value['transfer_count']}")
        if notes != self.block_notes:
            self.problems.append(f"{name} has {self.block_notes} notes instead of {notes}")
        is_complete = (value["transfer_count"], notes) == (transfers, self.block_notes)
        if is_complete and value["digest"] != self.digest.hex():
            self.problems.append(f"{name} holds a transfer or a note that was changed")
        if self.anchor and self.anchor[0] == value["block_number"] and self.anchor[1].lower() != self.digest.hex():
            self.problems.append(f"{name} is not the one that was anchored")
        self.digest = bytes.fromhex(value["digest"])
        self.block_count = value["block_number"]
        self.hashes = []
        self.block_notes = 0


def check_export(lines: Iterable[str], *, anchor: tuple[int, str] | None = None) -> Proof:
    """Check an export: the chain, that every transfer balances and its lots add up, that no lot gives more than it had.

    Accounts must be the ones that were sealed; in a chain without notes yet nothing says so.

    Needs nothing but the lines. The head digest says which ledger this is: compare it with one noted elsewhere, or
    give that as the anchor.
    """
    reader = _Reader(anchor)
    for line in lines:
        if line.strip():
            reader.read(line)
    problems = reader.problems
    if reader.hashes:
        problems.append(f"{len(reader.hashes)} transfers and notes at the end belong to no block")
    if reader.note_count:
        problems += [f"account {each} was never sealed" for each in sorted(reader.named - reader.sealed)]
    if anchor and anchor[0] > reader.block_count:
        problems.append(f"block {anchor[0]} of the anchor is missing: the chain ends with block {reader.block_count}")
    for (account_id, lot_id), rest in sorted(reader.lots.items()):
        if rest < 0 and lot_id not in reader.debts:
            problems.append(f"lot {lot_id} gave more than it had in account {account_id}")
    return Proof(
        block_count=reader.block_count,
        transfer_count=reader.transfer_count,
        note_count=reader.note_count,
        unsealed_count=len(reader.hashes),
        head_digest=reader.digest.hex(),
        problems=problems[:PROBLEMS_MAX],
    )
