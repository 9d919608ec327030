"""An account that was shared is parted: lots, holds and debts go back to whose they are, by the key of their source."""

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from comity.kernel.database import Tx
from comity.kernel.errors import Broken
from comity.ledger import rules, store
from comity.ledger.moving import note_hold_moves
from comity.ledger.rows import Flow, HoldMove, HoldState, LotTerms
from comity.ledger.sharing import ON_BEHALF, Gift, HeldPiece, Parted, Parting, PartingPlan, Shortfall, plan_parting
from comity.ledger.types import FREELY, HOLDERS, Piece, Posting, PostingVerdict, Takes

ADJUST_KIND = "adjust"


def list_flows(tx: Tx, *, account_ids: Sequence[int], since: int, transfer_ids: Sequence[int] = ()) -> list[Flow]:
    """Return the history of the lots that were touched in accounts since a transfer, or by these transfers.

    Locks the accounts: what is told stays true until the transaction ends.
    """
    store.lock_accounts(tx, account_ids=sorted(set(account_ids)))
    return store.list_flows(tx, account_ids=account_ids, since=since, transfer_ids=transfer_ids)


def part(tx: Tx, *, partings: Sequence[Parting], now: datetime) -> list[Parted]:
    """Part accounts, in order, and say of each what was done.

    What is left of lots moves; open holds move whole. Units that the other side spent come back into their lot by a
    transfer that names who took them, and who spent them pays from what they can spend, soonest expiry first; what they
    cannot pay is owed or let go, as the wish says. Each parting is to be asked for once.
    """
    return [_part(tx, each, now=now) for each in partings]


def _part(tx: Tx, parting: Parting, *, now: datetime) -> Parted:
    source, target = parting.source_account_id, parting.target_account_id
    facts = store.lock_accounts(tx, account_ids=sorted({source, target, *parting.account_ids}))
    holds = store.list_open_holds(tx, account_ids=[source])
    holdings = store.list_holdings(tx, account_ids=[source, target])
    in_debt = {each for each, lots in holdings.items() if any(lot.rest < 0 for lot in lots)}
    beside = [rules.plan_reserved_account(facts[each]) for each in (source, target)] if holds or in_debt else []
    opened = store.open_accounts(tx, accounts=beside, now=now) if beside else [0, 0]
    contents = _list_contents(tx, holds)
    theirs = [each for each in holds if each.hold_id in parting.own_transfer_ids]
    numbers, reversible = _list_reversible(tx, parting.flows)
    plan = plan_parting(
        parting,
        main={each.lot_id: each.rest for each in holdings.get(source, ())},
        their_holds={each.hold_id: contents[each.hold_id] for each in theirs},
        other_holds={each.hold_id: contents[each.hold_id] for each in holds if each not in theirs},
        reversible=reversible,
    )
    journal = Journal(
        parting,
        reserved=opened,
        in_debt=in_debt,
        numbers=numbers | {each.hold_id: each.change_count for each in holds},
    )
    terms = store.list_terms(tx, lot_ids=[each.lot_id for each in (*plan.to_target, *plan.to_source)])
    journal.move_holds({each.hold_id: contents[each.hold_id] for each in theirs})
    journal.move_lots(plan, terms)
    journal.post(tx, now=now)
    return _settle(tx, plan, journal, now=now)


def _settle(tx: Tx, plan: PartingPlan, journal: "Journal", *, now: datetime) -> Parted:
    """Fill holds again, and let each side pay for what it spent of the other's."""
    parting = journal.parting
    accounts = [parting.target_account_id, parting.source_account_id]
    found = store.list_standings(tx, account_ids=accounts, day=parting.effective_on)
    paid: list[int] = []
    short: list[int] = []
    let_go: list[int] = []
    for place, (taken, gifts) in enumerate([(plan.returned, plan.to_source), (plan.pulled, plan.to_target)]):
        spendable = found[accounts[place]].spendable
        wanted: Counter[int | None] = Counter()
        for each in gifts:
            wanted[each.origin_id] += each.amount
        for hold_id, amount in _sum_held(taken).items():
            filled = min(spendable, amount)
            journal.fill(hold_id, place, filled=filled, lent=amount - filled)
            spendable -= filled
            wanted[hold_id] += amount - filled
        debts = Counter({each.origin_id: 0 for each in plan.debts})
        for each in plan.debts if place == 0 else ():
            debts[each.origin_id] += each.amount
        total = wanted.total() + debts.total()
        short.append(max(0, total - spendable))
        paid.append(total)
        let_go.append(min(short[place], wanted.total()) if parting.shortfall is Shortfall.LET_GO else 0)
        journal.charge(accounts[place], debts, wanted, let_go=let_go[place])
    journal.post(tx, now=now)
    return Parted(
        moved=sum(amount for _, amount in plan.moves) + journal.held,
        given_back_to_target=sum(each.amount for each in plan.to_target),
        given_back_to_source=sum(each.amount for each in plan.to_source),
        paid_by_target=paid[0],
        paid_by_source=paid[1],
        shortfall_of_target=short[0],
        shortfall_of_source=short[1],
        let_go_of_target=let_go[0],
        let_go_of_source=let_go[1],
        hold_ids=tuple(journal.moved_holds),
    )


class Journal:
    """The transfers of one parting, in order; each has a number in its key."""

    def __init__(
        self, parting: Parting, *, reserved: Sequence[int], in_debt: AbstractSet[int], numbers: Mapping[int, int]
    ) -> None:
        """`reserved` are the accounts beside source and target, `numbers` how often transfers have been named."""
        self._in_debt = in_debt
        self.parting = parting
        self.moved_holds: list[int] = []
        self.held = 0
        self._reserved = {"source": reserved[0], "target": reserved[1]}
        self._numbers = Counter(numbers)
        self._count = 0
        self._postings: list[Posting] = []
        self._gone: dict[str, HoldMove] = {}

    def move_holds(self, contents: Mapping[int, Mapping[int, int]]) -> None:
        """Let holds go to the target, with all that is in them."""
        for hold_id, lots in contents.items():
            key = self._add(self._reserved["source"], self._reserved["target"], pieces=lots, names=hold_id)
            self._gone[key] = HoldMove(
                transfer_id=0,
                hold_id=hold_id,
                account_id=self.parting.target_account_id,
                reserved_account_id=self._reserved["target"],
            )
            self.moved_holds.append(hold_id)
            self.held += sum(lots.values())

    def move_lots(self, plan: PartingPlan, terms: Mapping[int, LotTerms]) -> None:
        """Take debts over before anything can pay them, move what is left, and give back what was spent."""
        wish = self.parting
        for each in plan.debts:
            self._add(
                wish.programme_account_id,
                wish.source_account_id,
                pieces=[(each.lot_id, each.amount)],
                kind=ADJUST_KIND,
                origin_id=each.origin_id,
            )
        for taken, debit, credit in (
            (plan.returned, self._reserved["target"], wish.source_account_id),
            (plan.pulled, self._reserved["source"], wish.target_account_id),
        ):
            for each in taken:
                self._add(debit, credit, pieces=[(each.lot_id, each.amount)], names=each.hold_id)
        if plan.moves:
            self._add(wish.source_account_id, wish.target_account_id, pieces=plan.moves)
        for gifts, account_id in ((plan.to_target, wish.target_account_id), (plan.to_source, wish.source_account_id)):
            for gift in gifts:
                self._give(gift, account_id, terms)

    def fill(self, hold_id: int, place: int, *, filled: int, lent: int) -> None:
        """Fill a hold with what its owner can spend; beyond that with new units, which the owner is charged for."""
        side = ("target", "source")[place]
        account_id = (self.parting.target_account_id, self.parting.source_account_id)[place]
        if filled:
            self._add(account_id, self._reserved[side], amount=filled, names=hold_id)
        if lent:
            self._add(self.parting.programme_account_id, self._reserved[side], amount=lent, names=hold_id)

    def charge(
        self, account_id: int, debts: Mapping[int, int], wanted: Mapping[int | None, int], *, let_go: int
    ) -> None:
        """Let an account pay, on behalf of each transfer apart; beyond what it can spend it owes."""
        charges: Counter[int | None] = Counter(dict(debts.items()))
        for origin_id, amount in wanted.items():
            part = min(amount, let_go)
            let_go -= part
            charges[origin_id] += amount - part
        for origin_id, amount in sorted(charges.items(), key=lambda each: each[0] or 0):
            if amount:
                self._add(
                    account_id,
                    self.parting.programme_account_id,
                    amount=amount,
                    kind=ADJUST_KIND,
                    may_owe=True,
                    origin_id=origin_id,
                )

    def post(self, tx: Tx, *, now: datetime) -> None:
        """Post what has been written so far."""
        verdicts = store.post(tx, postings=self._postings, now=now)
        booked: dict[str, PostingVerdict] = {}
        for posting, verdict in zip(self._postings, verdicts, strict=True):
            if not verdict.is_booked:
                raise Broken(
                    "What belongs to one of two could not be parted.",
                    details={"idempotency_key": posting.idempotency_key, "status": verdict.status},
                )
            booked[posting.idempotency_key] = verdict
        note_hold_moves(tx, gone=self._gone, booked=booked)
        self._postings, self._gone = [], {}

    def _give(self, gift: Gift, account_id: int, terms: Mapping[int, LotTerms]) -> None:
        """Give back into a lot; where a debt would take it at once, by the reserved account, so that both are told."""
        known = terms.get(gift.lot_id)
        beside = self._reserved["source" if account_id == self.parting.source_account_id else "target"]
        self._add(
            self.parting.programme_account_id,
            beside if account_id in self._in_debt else account_id,
            pieces=[(gift.lot_id, gift.amount)],
            terms=known,
            names=gift.spent_by,
            kind=self.parting.kind if gift.spent_by else ADJUST_KIND,
            origin_id=gift.origin_id,
        )
        if account_id in self._in_debt:
            self._add(beside, account_id, pieces=[(gift.lot_id, gift.amount)])

    def _add(
        self,
        debit_account_id: int,
        credit_account_id: int,
        *,
        amount: int | None = None,
        pieces: Sequence[tuple[int, int]] | Mapping[int, int] = (),
        terms: LotTerms | None = None,
        names: int | None = None,
        kind: str | None = None,
        may_owe: bool = False,
        origin_id: int | None = None,
    ) -> str:
        self._count += 1
        if names is not None:
            self._numbers[names] += 1
        wish = self.parting
        key = f"{wish.idempotency_key}:{self._count}"
        lots = dict(pieces)
        self._postings.append(
            Posting(
                idempotency_key=key,
                debit_account_id=debit_account_id,
                credit_account_id=credit_account_id,
                amount=sum(lots.values()) if amount is None else amount,
                kind=kind or wish.kind,
                reason=wish.reason,
                effective_on=wish.effective_on,
                system=wish.system if origin_id is None else ON_BEHALF,
                external_id=wish.external_id if origin_id is None else str(origin_id),
                reverses_transfer_id=names,
                reversal_number=1 if names is None else self._numbers[names],
                pieces=tuple(
                    Piece(lot_id=lot_id, amount=part, terms=terms.terms if terms else FREELY)
                    for lot_id, part in lots.items()
                ),
                takes=Takes.NAMED if lots else Takes.SPENDABLE,
                may_owe=may_owe,
            )
        )
        return key


def _list_contents(tx: Tx, holds: Sequence[HoldState]) -> dict[int, dict[int, int]]:
    lots = store.list_moved_lots(tx, transfer_ids=[each.hold_id for each in holds]) if holds else {}
    return {
        each.hold_id: {
            lot.lot_id: lot.amount for lot in lots[each.hold_id] if lot.account_id == each.reserved_account_id
        }
        for each in holds
    }


def _list_reversible(tx: Tx, flows: Sequence[Flow]) -> tuple[dict[int, int], frozenset[int]]:
    """Return how often transfers have been named, and those that a gift may name: what left the programme's holders."""
    legs = store.list_transfers(tx, transfer_ids=sorted({each.base_id for each in flows}))
    numbers = {each.transfer_id: each.reversal_count for each in legs.values()}
    named = {key for key, each in legs.items() if each.reverses_transfer_id is None and each.credit_kind not in HOLDERS}
    return numbers, frozenset(named)


def _sum_held(pieces: Sequence[HeldPiece]) -> dict[int, int]:
    found: Counter[int] = Counter()
    for each in pieces:
        found[each.hold_id] += each.amount
    return dict(found)
