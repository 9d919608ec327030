"""The hash chain, terms of lots, who may do what: what auditors ask for."""

import json
from datetime import UTC, date, datetime

import pytest

from comity.kernel.errors import Broken
from comity.ledger import api
from comity.ledger.types import (
    AccountKind,
    Book,
    NewAccount,
    Posting,
    PostingStatus,
    Reversal,
    TermChange,
    Terms,
    UnknownTransfer,
)

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
SOURCE = {"system": "shop", "external_id": "1"}
MARCH = (date(2026, 3, 1), date(2026, 3, 31))


def open_books(tx):
    kinds = [(AccountKind.PROGRAMME, "points"), (AccountKind.MEMBER, "ada"), (AccountKind.MEMBER, "bob")]
    return api.open_accounts(
        tx,
        accounts=[NewAccount(book=Book.POINTS, unit="points", kind=kind, owner=owner) for kind, owner in kinds],
        now=NOW,
    )


def post(tx, key, debit, credit, amount, on, now=NOW, **changes):
    fields = {"kind": "any"} | SOURCE | changes
    wish = Posting(
        idempotency_key=key, debit_account_id=debit, credit_account_id=credit, amount=amount, effective_on=on, **fields
    )
    [verdict] = api.post(tx, postings=[wish], now=now)
    return verdict


class TestTerms:
    def change(self, tx, lot_id, key="t", **terms):
        change = TermChange(lot_id=lot_id, idempotency_key=key, terms=Terms(**terms), reason="stayed")
        [status] = api.change_terms(tx, changes=[change], now=NOW)
        return status

    def test_of_pending_points_change_when_the_event_comes(self, tx):
        programme, ada, bob = open_books(tx)
        lot = post(tx, "a", programme, ada, 10, MARCH[0], terms=Terms(is_pending=True)).transfer_id
        assert post(tx, "b", ada, bob, 10, MARCH[0]).status is PostingStatus.INSUFFICIENT
        assert self.change(tx, lot) is PostingStatus.POSTED
        assert self.change(tx, lot) is PostingStatus.DUPLICATE
        assert self.change(tx, lot, expires_on=MARCH[1]) is PostingStatus.KEY_REUSED
        assert self.change(tx, -1, key="u") is PostingStatus.INVALID
        assert post(tx, "b", ada, bob, 10, MARCH[0]).status is PostingStatus.POSTED

    def test_follow_the_lot_wherever_it_is_held(self, tx):
        programme, ada, bob = open_books(tx)
        lot = post(tx, "a", programme, ada, 10, MARCH[0], terms=Terms(expires_on=MARCH[1])).transfer_id
        spent = post(tx, "s", ada, programme, 5, MARCH[0]).transfer_id
        post(tx, "b", ada, bob, 5, MARCH[0])
        later = date(2026, 6, 1)
        assert self.change(tx, lot, expires_on=later) is PostingStatus.POSTED
        assert api.expire_lots(tx, unit="points", today=MARCH[1], now=NOW) == []
        back = Reversal(transfer_id=spent, idempotency_key="r", effective_on=MARCH[0], reason="", **SOURCE)
        api.reverse(tx, reversals=[back], now=NOW)
        held = api.list_holdings(tx, account_ids=[ada, bob])
        assert [held[each][0].expires_on for each in (ada, bob)] == [later, later]


def seal_all(database):
    """Seal twice: the second call seals what the first has seen."""
    count = 0
    for _ in range(2):
        with database.transaction() as tx:
            count += api.seal(tx, now=NOW)
    return count


@pytest.fixture
def books(database):
    """Some history of every kind, sealed."""
    with database.transaction() as tx:
        programme, ada, bob = open_books(tx)
        for number in range(1, 6):
            post(tx, f"é{number}", programme, ada, 10 * number, MARCH[0], reason='a "quoted"\nreason')
        post(tx, "s", ada, programme, 35, MARCH[0])
        post(tx, "g", ada, bob, 50, MARCH[0])
    assert seal_all(database) == 7 + 3
    return database


class TestChain:
    def test_proves_the_books_online_and_away_from_them(self, books):
        with books.transaction() as tx:
            proof = api.verify(tx)
            lines = list(api.export(tx))
        assert (proof.problems, proof.block_count, proof.transfer_count, proof.unsealed_count) == ([], 1, 7, 0)
        away = api.check_export(lines, anchor=(1, proof.head_digest))
        assert (away.problems, away.transfer_count, away.head_digest) == ([], 7, proof.head_digest)

    def test_seals_in_blocks_without_gaps(self, books):
        with books.transaction() as tx:
            programme, ada, _ = open_books(tx)
            refused = post(tx, "x", ada, programme, 10**9, MARCH[0])
            assert refused.status is PostingStatus.INSUFFICIENT
            post(tx, "y", programme, ada, 1, MARCH[0])
        assert seal_all(books) == 1
        assert seal_all(books) == 0
        with books.transaction() as tx:
            proof = api.verify(tx)
            assert (proof.problems, proof.block_count, proof.transfer_count) == ([], 2, 8)

    def test_waits_for_those_who_may_still_post(self, books):
        with books.transaction() as tx:
            programme, ada, bob = open_books(tx)
        with books.transaction() as slow:
            post(slow, "slow", programme, ada, 1, MARCH[0])
            with books.transaction() as tx:
                post(tx, "quick", programme, bob, 1, MARCH[0])
            assert seal_all(books) == 0
            assert seal_all(books) == 0
        assert seal_all(books) == 2

    def test_wants_a_transaction_of_its_own(self, books):
        with books.transaction() as tx:
            tx.execute("select pg_current_xact_id()")
            with pytest.raises(Broken):
                api.seal(tx, now=NOW)

    @pytest.mark.parametrize(
        ("forgery", "said"),
        [
            ("update ledger.transfer set reason = 'x' where idempotency_key = 's'", "changed"),
            ("update ledger.transfer set amount = 34 where idempotency_key = 's'", "lots do not add up"),
            ("update ledger.transfer set credit_balance_after = 7 where idempotency_key = 's'", "changed"),
            ("delete from ledger.transfer where idempotency_key = 'g'", "now there are 6"),
            ("delete from ledger.lot_entry where amount = -10", "lots do not add up"),
            ("update ledger.account set balance = balance + 1 where owner = 'bob'", "balance is not"),
            ("update ledger.holding set rest = rest + 1 where rest = 50", "balance is not"),
            ("update ledger.holding set rest = rest + 1 where rest = 50", "rest or terms of lot"),
            ("update ledger.holding set expires_on = '2099-01-01'", "rest or terms of lot"),
            ("update ledger.holding set available_from = '2099-01-01'", "rest or terms of lot"),
            ("update ledger.block set digest = sha256('x')", "changed"),
        ],
    )
    def test_finds_what_was_forged(self, books, forge, forgery, said):
        assert forge(books, forgery) >= 1
        with books.transaction() as tx:
            problems = api.verify(tx).problems
        assert any(said in each for each in problems), problems

    def test_finds_a_chain_that_was_written_anew(self, books, forge):
        with books.transaction() as tx:
            anchor = (1, api.verify(tx).head_digest)
        forge(books, "update ledger.transfer set reason = 'x' where idempotency_key = 's'")
        forge(books, "delete from ledger.block")
        seal_all(books)
        with books.transaction() as tx:
            assert api.verify(tx).problems == []
            assert "anchored" in api.verify(tx, anchor=anchor).problems[0]
            assert "missing" in api.verify(tx, anchor=(9, "00")).problems[0]

    @pytest.mark.parametrize(
        ("forge", "said"),
        [
            (lambda lines: [each.replace('"amount": 35', '"amount": 34') for each in lines], "changed"),
            (
                lambda lines: [each for each in lines if '"key"' not in each and '"idempotency_key": "g"' not in each],
                "6",
            ),
            (lambda lines: [each.replace('"kind": "any"', '"kind": "gift"') for each in lines], "changed"),
            (lambda lines: lines[:-1], "no block"),
            (lambda lines: [*lines, "rubbish"], "cannot be read"),
            (lambda lines: [*lines, "[1]"], "cannot be read"),
            (lambda lines: [*lines, "{}"], "no kind"),
            (lambda lines: [each.replace(", -10]", ", -11]") for each in lines], "more than it had"),
        ],
    )
    def test_export_shows_what_was_forged(self, books, forge, said):
        with books.transaction() as tx:
            lines = list(api.export(tx))
            ids = [json.loads(each)["transfer_id"] for each in lines if each.startswith('{"debit"') or "reason" in each]
        assert ids == sorted(ids) and len(ids) == 7
        problems = api.check_export(forge(lines)).problems
        assert any(said in each for each in problems), (problems, lines)


class TestTrace:
    def test_leads_from_a_redemption_to_its_accruals_and_on(self, books):
        with books.transaction() as tx:
            _, ada, bob = open_books(tx)
            [spent] = [each for each in api.list_entries(tx, account_id=ada) if each.amount == -35]
            story = api.trace(tx, transfer_id=spent.transfer_id)
        assert story.transfer.block_number == 1
        by_lot = {}
        for line in story.lines:
            by_lot.setdefault(line.lot_id, []).append((line.account_id, line.amount))
        assert list(by_lot.values()) == [
            [(ada, 10), (ada, -10)],
            [(ada, 20), (ada, -20)],
            [(ada, 30), (ada, -5), (ada, -25), (bob, 25)],
        ]
        with books.transaction() as tx, pytest.raises(UnknownTransfer):
            api.trace(tx, transfer_id=-1)

    def test_goes_on_behind_a_reversal_that_made_a_new_lot(self, tx):
        programme, ada, _ = open_books(tx)
        earned = post(tx, "a", programme, ada, 10, MARCH[0]).transfer_id
        spent = post(tx, "s", ada, programme, 10, MARCH[0]).transfer_id
        back = post(tx, "r", programme, ada, 10, MARCH[0], reverses_transfer_id=spent).transfer_id
        again = post(tx, "t", ada, programme, 4, MARCH[0]).transfer_id
        story = [(each.lot_id, each.transfer_id) for each in api.trace(tx, transfer_id=again).lines]
        assert story == [(earned, earned), (earned, spent), (back, back), (back, again)]
