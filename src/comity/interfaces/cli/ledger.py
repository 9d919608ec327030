"""Commands about the books: trial balance, roll-forward, statement, trace, the chain and its proof."""

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from comity.interfaces.cli.days import Day, KnownAt, to_day, to_moment
from comity.interfaces.cli.opening import DataDir, open_hub, read_hub
from comity.interfaces.cli.output import FileUnusable, Json, print_json, print_table, say, translates_errors
from comity.interfaces.cli.stories import show_story
from comity.interfaces.shared.keys import KEY_FORMS, find_person
from comity.interfaces.shared.money import tell_money
from comity.kernel.database import Tx
from comity.kernel.errors import Invalid
from comity.ledger import api as books
from comity.ledger.types import Book, Holding, TrialBalanceRow
from comity.programme import api as programme
from comity.sync.api import RuntimeSource

ledger = typer.Typer(help="The books: points and money, to the unit.", no_args_is_help=True)

PROBLEMS_FOUND = 1
"""Exit code of a check that found something."""

LINES_MAX = 100


class AnchorUnreadable(Invalid):
    """An anchor is a block number and its digest, joined by a colon."""


class SourceUnreadable(Invalid):
    """A transfer is named by its number, or by what caused it: system/external-id."""


class PeriodBackwards(Invalid):
    """The first day of a period is not after its last."""


@ledger.command("trial-balance")
@translates_errors
def trial_balance(*, on: Day = None, known_at: KnownAt = None, data_dir: DataDir = None, json: Json = False) -> None:
    """Sum all entries by book, unit and kind of account; each unit sums to zero."""
    day, moment = to_day(on), to_moment(known_at)
    with read_hub(data_dir=data_dir) as hub, hub.database.transaction() as tx:
        rows = books.trial_balance(tx, day=day, known_at=moment)
    if json:
        print_json(rows)
        return
    print_table(
        "",
        ("book", "unit", "kind", "accounts", "entries", "balance"),
        [(row.book, row.unit, row.kind, row.account_count, row.entry_count, _tell_balance(row)) for row in rows],
        numbers=(3, 4, 5),
    )
    total = sum(abs(each) for each in _sum_units(rows))
    say("Every unit sums to zero." if total == 0 else f"[red]The books are out of balance by {total}.[/]")


def _tell_balance(row: TrialBalanceRow) -> int | str:
    return tell_money(row.balance, row.unit) if row.book is Book.MONEY else row.balance


def _sum_units(rows: list[TrialBalanceRow]) -> list[int]:
    units: dict[tuple[str, str], int] = {}
    for row in rows:
        units[row.book, row.unit] = units.get((row.book, row.unit), 0) + row.balance
    return list(units.values())


@ledger.command("roll-forward")
@translates_errors
def roll_forward(
    unit: Annotated[str, typer.Argument(help="The points: the programme's name.")],
    first: Annotated[str, typer.Argument(help="First day, as 2026-03-01.")],
    last: Annotated[str, typer.Argument(help="Last day, as 2026-03-31.")],
    *,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Say what changed the outstanding points in a period: opening, issued, redeemed, expired, adjusted, closing."""
    first_on, last_on = to_day(first) or date.min, to_day(last) or date.max
    if first_on > last_on:
        raise PeriodBackwards(details={"first": first, "last": last})
    with read_hub(data_dir=data_dir) as hub, hub.database.transaction() as tx:
        found = books.roll_forward(tx, unit=unit, first_on=first_on, last_on=last_on)
    if json:
        print_json(found)
        return
    print_table(
        f"{unit}, {first} to {last}",
        ("", "points"),
        [
            ("opening", found.opening),
            ("+ issued", found.issued),
            ("- redeemed", found.redeemed),
            ("- expired", found.expired),
            ("+ adjusted", found.adjusted),
            ("= closing", found.closing),
        ],
        numbers=(1,),
    )


@ledger.command("lock")
@translates_errors
def lock(
    unit: Annotated[str, typer.Argument(help="The points: the programme's name.")],
    through: Annotated[str, typer.Argument(help="Last day of the closed period, as 2026-03-31.")],
    *,
    by: Annotated[str, typer.Option(help="Who closes it.")],
    reason: Annotated[str, typer.Option(help="Why.")] = "period close",
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Close the books up to a day; what comes late counts on the first open day and keeps its own."""
    day = to_day(through) or date.min
    with open_hub(data_dir=data_dir) as hub, hub.database.transaction() as tx:
        books.lock_period(tx, unit=unit, through=day, by=by, reason=reason, now=hub.clock.now())
    if json:
        print_json({"unit": unit, "locked_through": day})
    else:
        say(f"The books of {unit} are closed through {day}.")


@ledger.command("reopen")
@translates_errors
def reopen(
    unit: Annotated[str, typer.Argument(help="The points: the programme's name.")],
    through: Annotated[str, typer.Argument(help="Last day that stays closed, as 2026-02-28.")],
    *,
    by: Annotated[str, typer.Option(help="Who opens the days after it.")],
    confirmed_by: Annotated[str, typer.Option(help="Who else agrees: it takes two people.")],
    reason: Annotated[str, typer.Option(help="Why; it stays on record.")],
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Open closed days again, those after a day; it takes two people and stays on record."""
    day = to_day(through) or date.min
    with open_hub(data_dir=data_dir) as hub, hub.database.transaction() as tx:
        books.reopen_period(
            tx, unit=unit, through=day, by=by, confirmed_by=confirmed_by, reason=reason, now=hub.clock.now()
        )
    if json:
        print_json({"unit": unit, "locked_through": day, "by": by, "confirmed_by": confirmed_by})
    else:
        say(f"The books of {unit} are open from the day after {day}: {by} asked, {confirmed_by} confirmed.")


@ledger.command("periods")
@translates_errors
def periods(
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many decisions, the newest first.")] = LINES_MAX,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Show until when the books are closed, and who closed and reopened them, when and why."""
    with read_hub(data_dir=data_dir) as hub, hub.database.transaction() as tx:
        found = books.list_periods(tx, limit_max=limit)
    if json:
        print_json(found)
        return
    if not found:
        say("No books have been closed.")
        return
    rows = [
        (
            each.book,
            each.unit,
            each.locked_through.isoformat(),
            "yes" if each.is_in_force else "",
            each.locked_at.date().isoformat(),
            each.locked_by,
            each.confirmed_by or "",
            each.reason,
        )
        for each in found
    ]
    print_table("", ("book", "unit", "closed through", "in force", "since", "by", "confirmed by", "reason"), rows)


@ledger.command("statement")
@translates_errors
def statement(
    key: Annotated[str, typer.Argument(help=f"Number of an account, or a person: {KEY_FORMS}.")],
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many lines, the newest first.")] = LINES_MAX,
    on: Day = None,
    known_at: KnownAt = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Show an account line by line, and the lots it holds with their expiry; of a day, the balance alone."""
    if on or known_at:
        _show_balances_on(key, on=on, known_at=known_at, data_dir=data_dir, json=json)
        return
    with read_hub(data_dir=data_dir) as hub, hub.database.transaction() as tx:
        accounts = _find_accounts(tx, key=key, runtimes=hub.runtimes)
        lines = {each: books.list_entries(tx, account_id=each, limit_max=limit) for each in accounts}
        balances = dict(zip(accounts, books.get_balances(tx, account_ids=accounts), strict=True))
        lots = books.list_holdings(tx, account_ids=accounts)
    if json:
        print_json(
            [
                {"account_id": each, "balance": balances[each], "lots": lots.get(each, []), "lines": lines[each]}
                for each in accounts
            ]
        )
        return
    for each in accounts:
        print_table(
            f"Account {each}: {balances[each]}",
            ("day", "transfer", "what", "source", "reason", "reference", "amount", "balance"),
            [
                (
                    line.effective_on.isoformat(),
                    line.transfer_id,
                    line.kind,
                    f"{line.system}/{line.external_id}",
                    line.reason,
                    line.reference or "",
                    line.amount,
                    line.balance_after,
                )
                for line in lines[each]
            ],
            numbers=(1, 6, 7),
        )
        print_table(
            "Open lots",
            ("lot", "rest", "expires", "available from"),
            [(lot.lot_id, lot.rest, lot.expires_on or "never", _available(lot)) for lot in lots.get(each, [])],
            numbers=(0, 1),
        )


def _show_balances_on(key: str, *, on: str | None, known_at: str | None, data_dir: DataDir, json: bool) -> None:
    day, moment = to_day(on) or date.max, to_moment(known_at)
    with open_hub(data_dir=data_dir) as hub, hub.database.transaction() as tx:
        accounts = _find_accounts(tx, key=key, runtimes=hub.runtimes)
        balances = books.get_balances_on(tx, account_ids=accounts, day=day, known_at=moment)
    if json:
        print_json(
            [
                {"account_id": each, "balance": balance, "on": on, "known_at": moment}
                for each, balance in zip(accounts, balances, strict=True)
            ]
        )
        return
    asked = " ".join((*(("on", on) if on else ()), *(("as known at", known_at) if known_at else ())))
    for each, balance in zip(accounts, balances, strict=True):
        say(f"Account {each} {asked}: {balance}")


def _available(lot: Holding) -> str:
    if lot.is_pending:
        return "pending"
    return lot.available_from.isoformat() if lot.available_from else ""


def _find_accounts(tx: Tx, *, key: str, runtimes: RuntimeSource) -> list[int]:
    if key.isdecimal():
        return [int(key)]
    profile_id = find_person(tx, key=key, runtime=runtimes.get(tx))
    found = programme.find_members(tx, profile_ids=[profile_id]).get(profile_id, [])
    accounts = [
        (each.account_id, *(kind.account_id for kind in each.kinds.values() if kind.account_id)) for each in found
    ]
    return list(dict.fromkeys(account_id for own in accounts for account_id in own))


@ledger.command("trace")
@translates_errors
def trace(
    key: Annotated[str, typer.Argument(help="Number of a transfer or lot, or what caused it: system/external-id.")],
    *,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Follow the points of transfers: back to the accruals they came from, forward to what became of them."""
    with read_hub(data_dir=data_dir) as hub, hub.database.transaction() as tx:
        stories = [books.trace(tx, transfer_id=each) for each in _find_transfers(tx, key=key)]
    if json:
        print_json(stories)
        return
    for each in stories:
        show_story(each)


def _find_transfers(tx: Tx, *, key: str) -> list[int]:
    if key.isdecimal():
        return [int(key)]
    system, slash, external_id = key.partition("/")
    if not slash:
        raise SourceUnreadable(details={"key": key})
    return books.list_caused(tx, system=system, external_id=external_id)


@ledger.command("seal")
@translates_errors
def seal(*, data_dir: DataDir = None, json: Json = False) -> None:
    """Append to the hash chain what was posted and can no longer be added to."""
    count = 0
    with open_hub(data_dir=data_dir) as hub:
        # The first pass notes what has been drawn, the second seals it once nobody can add to it.
        for _ in range(2):
            with hub.database.transaction() as tx:
                count += books.seal(tx, now=hub.clock.now())
        with hub.database.transaction() as tx:
            head = books.find_head(tx)
    if json:
        print_json({"sealed": count, "head": head})
    else:
        say(f"{count} transfers and notes sealed." + (f" Anchor: {head.block_number}:{head.digest}" if head else ""))


@ledger.command("export")
@translates_errors
def export(
    file: Annotated[Path, typer.Argument(help="File to write: one JSON document a line.")],
    *,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Write the sealed ledger to a file that `verify --file` proves without the database."""
    count = 0
    with read_hub(data_dir=data_dir) as hub, hub.database.transaction() as tx:
        try:
            with file.open("w", encoding="utf-8", newline="\n") as out:
                for line in books.export(tx):
                    out.write(line + "\n")
                    count += 1
        except OSError as error:
            raise FileUnusable(f"{file} cannot be written: {error.strerror}.") from error
    if json:
        print_json({"file": str(file), "lines": count})
    else:
        say(f"{count} lines written to {file}.")


@ledger.command("verify")
@translates_errors
def verify(
    *,
    file: Annotated[Path | None, typer.Option(help="Check this export instead of the database.")] = None,
    anchor: Annotated[str | None, typer.Option(help="Block and digest noted elsewhere, as 12:9f3a...")] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Check the whole ledger: chain, entries, lots, balances. Ends with 1 when something is wrong."""
    wanted = _to_anchor(anchor)
    if file is not None:
        try:
            with file.open(encoding="utf-8") as lines:
                proof = books.check_export(lines, anchor=wanted)
        except (OSError, UnicodeDecodeError) as error:
            raise FileUnusable(f"{file} cannot be read: {error}.") from error
    else:
        with read_hub(data_dir=data_dir) as hub, hub.database.transaction() as tx:
            proof = books.verify(tx, anchor=wanted)
    if json:
        print_json(proof)
    else:
        for each in proof.problems:
            say(f"[red]{each}[/]")
        state = f"{len(proof.problems)} problems" if proof.problems else "Everything holds"
        say(
            f"{state}: {proof.block_count} blocks, {proof.transfer_count} transfers, {proof.note_count} notes, "
            f"{proof.unsealed_count} not sealed."
        )
        if proof.block_count:
            say(f"Anchor: {proof.block_count}:{proof.head_digest}", style="dim")
    if proof.problems:
        raise typer.Exit(PROBLEMS_FOUND)


def _to_anchor(text: str | None) -> tuple[int, str] | None:
    if text is None:
        return None
    number, _, digest = text.partition(":")
    if not number.isdecimal() or not digest:
        raise AnchorUnreadable(details={"anchor": text})
    return int(number), digest
