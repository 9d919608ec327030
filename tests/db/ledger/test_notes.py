"""What stands beside the transfers (accounts, terms, holds, take-backs, closed periods) is sealed with them."""

import json
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest

from comity.ledger import api
from comity.ledger.types import (
    AccountKind,
    Book,
    Capture,
    Move,
    NewAccount,
    NewHold,
    Posting,
    PostingStatus,
    Release,
    ReturnPolicy,
    Reversal,
    TermChange,
    Terms,
)

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY = date(2026, 3, 1)
SOURCE = {"system": "shop", "external_id": "1", "effective_on": DAY}


def open_books(tx):
    kinds = [(AccountKind.PROGRAMME, "points"), (AccountKind.MEMBER, "ada"), (AccountKind.MEMBER, "bob")]
    return api.open_accounts(
        tx,
        accounts=[NewAccount(book=Book.POINTS, unit="points", kind=kind, owner=owner) for kind, owner in kinds],
        now=NOW,
    )


def post(tx, key, debit, credit, amount, **changes):
    wish = Posting(
        idempotency_key=key, debit_account_id=debit, credit_account_id=credit, amount=amount, kind="any",
        **(SOURCE | changes),
    )  # fmt: skip
    [verdict] = api.post(tx, postings=[wish], now=NOW)
    assert verdict.status is PostingStatus.POSTED
    return verdict.transfer_id


def reserve(tx, account, *, key):
    hold = NewHold(
        idempotency_key=key, account_id=account, amount=5, deadline_at=NOW + timedelta(hours=1), **SOURCE
    )  # fmt: skip
    return api.reserve(tx, holds=[hold], now=NOW)[0].transfer_id


def seal(database):
    for _ in range(2):
        with database.transaction() as tx:
            api.seal(tx, now=NOW)


def live(database):
    """Something of every kind."""
    with database.transaction() as tx:
        programme, ada, bob = open_books(tx)
        lot = post(tx, "a", programme, ada, 50, terms=Terms(expires_on=date(2027, 1, 1)))
        spent = post(tx, "b", programme, bob, 20)
        post(tx, "c", bob, programme, 20)
        change = TermChange(lot_id=lot, idempotency_key="t", terms=Terms(expires_on=date(2028, 1, 1)), reason="visit")
        api.change_terms(tx, changes=[change], now=NOW)
        # Spent already: the policy lets go of all of it, and no transfer tells.
        let_go = Reversal(
            transfer_id=spent, idempotency_key="r", reason="", policy=ReturnPolicy.WITHIN_BALANCE, **SOURCE
        )  # fmt: skip
        assert api.reverse(tx, reversals=[let_go], now=NOW)[0].status is PostingStatus.NOTHING_TAKEN
        captured, released, _ = (reserve(tx, ada, key=f"h{number}") for number in range(3))
        wish = Capture(idempotency_key="x", hold_id=captured, credit_account_id=programme, amount=3, **SOURCE)
        api.capture(tx, captures=[wish], now=NOW)
        api.release(tx, releases=[Release(idempotency_key="y", hold_id=released, **SOURCE)], now=NOW)
        move = Move(source_account_id=ada, target_account_id=bob, idempotency_key="m", kind="merge", **SOURCE)
        api.move_all(tx, moves=[move], now=NOW)
        api.lock_period(tx, unit="points", through=date(2026, 2, 28), by="ada", reason="close", now=NOW)


@pytest.fixture
def books(database):
    live(database)
    seal(database)
    return database


FORGERIES = [
    "update ledger.account set owner = 'eve' where owner = 'bob'",
    "update ledger.account set kind = 'pool' where owner = 'bob'",
    "update ledger.account set opened_at = opened_at - interval '1 year' where owner = 'bob'",
    "insert into ledger.account select lot_term_id, 'points', 'points', 'member', 'eve', now(), 0 from ledger.lot_term",
    "update ledger.lot_term set expires_on = '2099-01-01'",
    "delete from ledger.lot_term",
    "update ledger.hold set deadline_at = deadline_at + interval '1 year'",
    "update ledger.hold_end set captured = 5, released = 0 where captured = 3",
    "update ledger.hold_end set ended_at = ended_at + interval '1 day' where outcome = 'released'",
    "delete from ledger.hold_end where outcome = 'released'",
    "update ledger.hold_move set account_id = 1",
    "update ledger.take_back set wanted = 1",
    "delete from ledger.take_back",
    "update ledger.period_lock set locked_through = '2025-12-31'",
    "delete from ledger.period_lock",
]


class TestNotes:
    def test_are_in_the_proof_online_and_away_from_the_books(self, books):
        with books.transaction() as tx:
            proof = api.verify(tx)
            lines = list(api.export(tx))
        assert (proof.problems, proof.unsealed_count) == ([], 0)
        told = [json.loads(line)["note"] for line in lines if '"note"' in line]
        assert {each: told.count(each) for each in told} == {
            "account": 5, "lot_term": 1, "take_back": 1, "hold": 3, "hold_end": 2, "hold_move": 1, "period_lock": 1,
        }  # fmt: skip
        assert proof.note_count == len(told)
        away = api.check_export(lines, anchor=(proof.block_count, proof.head_digest))
        assert (away.problems, away.note_count) == ([], proof.note_count)

    @pytest.mark.parametrize("forgery", FORGERIES)
    def test_show_what_was_forged(self, books, forge, forgery):
        """By somebody who owns the database and switched the triggers off."""
        assert forge(books, forgery) >= 1
        with books.transaction() as tx:
            problems = api.verify(tx).problems
        assert any("changed" in each or "notes, now there are" in each for each in problems), problems

    @pytest.mark.parametrize(
        "forgery",
        [
            "delete from ledger.open_hold",
            "update ledger.open_hold set deadline_at = deadline_at + interval '1 year'",
            "insert into ledger.open_hold select hold_id, ended_at from ledger.hold_end",
            "update ledger.hold_end set capture_transfer_id = null, release_transfer_id = null",
        ],
    )
    def test_holds_are_open_until_they_end(self, books, forge, forgery):
        assert forge(books, forgery) >= 1
        with books.transaction() as tx:
            assert any(each.startswith("hold ") for each in api.verify(tx).problems)

    @pytest.mark.parametrize(
        ("start", "old", "new", "said"),
        [
            ('{"account"', '"ada"', '"eve"', "is not what was sealed"),
            ('{"account"', '"kind": "member"', '"kind": "pool"', "is not what was sealed"),
            ('"note"', '"ada"', '"eve"', "changed"),
            ('"note"', '"wanted": 20', '"wanted": 2', "changed"),
            ('"note"', '"2028-01-01"', '"2099-01-01"', "changed"),
            ('"note"', '"2026-02-28"', '"2026-01-31"', "changed"),
        ],
    )
    def test_show_what_was_forged_in_an_export(self, books, start, old, new, said):
        with books.transaction() as tx:
            lines = list(api.export(tx))
        assert any(start in line and old in line for line in lines)
        forged = [line.replace(old, new) if start in line else line for line in lines]
        problems = api.check_export(forged).problems
        assert any(said in each for each in problems), problems

    def test_cannot_be_left_out_of_an_export(self, books):
        with books.transaction() as tx:
            lines = list(api.export(tx))
        problems = api.check_export([line for line in lines if '"owner": "ada"' not in line or '"note"' not in line])
        assert any("notes instead of" in each for each in problems.problems)
        assert any("was never sealed" in each for each in problems.problems)

    def test_are_sealed_without_any_transfer(self, books):
        with books.transaction() as tx:
            api.lock_period(tx, unit="points", through=date(2026, 3, 5), by="ada", reason="close", now=NOW)
            assert api.verify(tx).unsealed_count == 1
        seal(books)
        seal(books)
        with books.transaction() as tx:
            proof = api.verify(tx)
        assert (proof.problems, proof.block_count, proof.unsealed_count) == ([], 2, 0)

    def test_wait_for_those_who_may_still_note(self, books):
        """Who has drawn a number and not committed keeps the block open, also where nothing was posted."""
        with books.transaction() as slow:
            eve = NewAccount(book=Book.POINTS, unit="points", kind=AccountKind.MEMBER, owner="eve")
            api.open_accounts(slow, accounts=[eve], now=NOW)
            with books.transaction() as tx:
                api.lock_period(tx, unit="points", through=date(2026, 3, 5), by="ada", reason="close", now=NOW)
            seal(books)
        seal(books)
        seal(books)
        with books.transaction() as tx:
            proof = api.verify(tx)
        assert (proof.problems, proof.unsealed_count) == ([], 0)

    def test_of_accounts_stay(self, books):
        with books.transaction() as tx, pytest.raises(psycopg.errors.InsufficientPrivilege):
            tx.execute("update ledger.account set owner = 'eve' where owner = 'bob'")


class TestOlderChain:
    """Books that were sealed when the chain held transfers alone."""

    @pytest.fixture
    def older(self, database):
        live(database)
        with database.transaction() as tx:
            tx.execute(
                "insert into ledger.block (block_number, first_transfer_id, last_transfer_id, transfer_count, "
                "total_count, previous_digest, digest, sealed_at) "
                "select 1, 1, max(transfer_id), count(*), count(*), '', "
                "sha256(string_agg(sha256(convert_to(line, 'UTF8')), ''::bytea order by transfer_id)), now() "
                "from ledger.v_line"
            )
        return database

    def test_verifies_and_goes_on_with_notes(self, older):
        with older.transaction() as tx:
            before = api.verify(tx)
            lines = list(api.export(tx))
        assert (before.problems, before.block_count, before.note_count) == ([], 1, 0)
        assert before.unsealed_count == 14
        assert api.check_export(lines).problems == []
        seal(older)
        with older.transaction() as tx:
            after = api.verify(tx, anchor=(1, before.head_digest))
            lines = list(api.export(tx))
        assert (after.problems, after.block_count, after.note_count, after.unsealed_count) == ([], 2, 14, 0)
        assert api.check_export(lines, anchor=(1, before.head_digest)).problems == []
        forged = [line.replace('"owner": "ada"', '"owner": "eve"') if '"note"' not in line else line for line in lines]
        assert any("not what was sealed" in each for each in api.check_export(forged).problems)

    def test_in_the_first_format_is_read(self, older):
        with older.transaction() as tx:
            lines = list(api.export(tx))
        former = [
            line.replace('"comity_ledger": 2', '"comity_ledger": 1').replace('"note_count": 0, ', "") for line in lines
        ]
        assert former != lines
        assert api.check_export(former).problems == []
