"""Whose is what of an account that two have shared: decided lot by lot, from what came in and went out. Pure.

Who brought or earned units of a lot owns them; who spent units of a lot is charged for those that were not theirs:
they go back into the lot, for its owner, and who spent them pays from their own lots. So both hold what they would hold
had they never shared.
"""

import enum
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date

import msgspec

from comity.ledger.rows import Flow

EXPIRE_KIND = "expire"


class Shortfall(enum.StrEnum):
    """What happens when who spent the other's points cannot pay for them from what they can spend."""

    OWED = "owed"
    """The rest is a debt that their next accruals pay; no point is made or lost."""
    LET_GO = "let_go"
    """The programme bears the rest."""


class Parting(msgspec.Struct, frozen=True, kw_only=True):
    """A wish to part what is one side's from an account that was shared since a move.

    `side_account_ids` are the side's own accounts, `target_account_id` the one of them that gets what is theirs;
    `shared_account_ids` those where it has been since `since_transfer_id`, `source_account_id` the one where it is now.
    Transfers from sources with `own_keys`, and `own_transfer_ids`, belong to the side wherever they were booked;
    `payers` says of others whose account they mean, where that is not the one they were booked on. Transfers
    of `move_kind` (and of its own) between both count as what the side brought; with None, none does.
    """

    idempotency_key: str
    source_account_id: int
    target_account_id: int
    programme_account_id: int
    shared_account_ids: tuple[int, ...]
    side_account_ids: tuple[int, ...]
    since_transfer_id: int
    own_transfer_ids: frozenset[int]
    own_keys: frozenset[tuple[str, str]]
    payers: Mapping[int, int]
    move_kind: str | None
    kind: str
    effective_on: date
    system: str
    external_id: str
    reason: str
    shortfall: Shortfall = Shortfall.OWED


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """What a side paid, and for whom of those who share its account."""

    transfer_id: int
    payer_account_id: int


class Parted(msgspec.Struct, frozen=True, kw_only=True):
    """What was done: moved to the target, given back into lots that the other side had spent, paid for that by each.

    The shortfalls are the parts of what was to be paid that nobody could pay; the policy says what became of them.
    """

    moved: int = 0
    given_back_to_target: int = 0
    given_back_to_source: int = 0
    paid_by_target: int = 0
    paid_by_source: int = 0
    shortfall_of_target: int = 0
    shortfall_of_source: int = 0
    hold_ids: tuple[int, ...] = ()
    charges: tuple[Charge, ...] = ()


class Gift(msgspec.Struct, frozen=True, kw_only=True):
    """Units to be given back into a lot; `spent_by` is the transfer that took them, where one can be named."""

    lot_id: int
    amount: int
    spent_by: int | None
    payer_account_id: int


class HeldPiece(msgspec.Struct, frozen=True, kw_only=True):
    """Units of a lot in a hold."""

    hold_id: int
    lot_id: int
    amount: int


class PartingPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What goes where.

    Lots move to the target; of its holds go back the units that are the source's, of the source's holds come those that
    are the target's (both holds are filled again); what was spent is given back on either side; debts are taken over.
    """

    moves: tuple[tuple[int, int], ...]
    returned: tuple[HeldPiece, ...]
    pulled: tuple[HeldPiece, ...]
    to_target: tuple[Gift, ...]
    to_source: tuple[Gift, ...]
    debt: int


Contents = Mapping[int, Mapping[int, int]]
"""By hold and lot."""


class Shares:
    """Counts the side's part of each lot."""

    def __init__(self, flows: Sequence[Flow], parting: Parting) -> None:
        """Read flows in the order they were booked."""
        self.net: Counter[int] = Counter()
        self.expired: Counter[int] = Counter()
        self.debts: set[int] = {each.lot_id for each in flows if each.is_debt}
        self.spent: dict[bool, dict[int, Counter[int]]] = {True: {}, False: {}}
        self.payers: dict[int, int] = {}
        self._parting = parting
        self._side = frozenset(parting.side_account_ids)
        self._moving = {parting.move_kind, parting.kind} if parting.move_kind else set[str]()
        self._debtors: dict[int, bool] = {}
        by_transfer: defaultdict[int, list[Flow]] = defaultdict(list)
        for each in flows:
            by_transfer[each.transfer_id].append(each)
        for _, lines in sorted(by_transfer.items()):
            self._count(lines)

    def _is_theirs(self, line: Flow) -> bool:
        return (
            line.origin_id in self._parting.own_transfer_ids
            or (line.system, line.external_id) in self._parting.own_keys
            or line.origin_account_id in self._side
        )

    def _count(self, lines: Sequence[Flow]) -> None:
        first = lines[0]
        if first.kind == EXPIRE_KIND:
            for each in lines:
                self.expired[each.lot_id] += each.shared_amount
            return
        is_brought = any(each.side_amount for each in lines)
        if is_brought and first.kind not in self._moving:
            return
        is_theirs = is_brought or self._is_theirs(first)
        paid = sum(each.shared_amount for each in lines if each.is_debt and each.shared_amount > 0)
        for each in lines:
            if each.is_debt and each.lot_id == each.transfer_id:
                self._debtors[each.lot_id] = is_theirs
            if each.is_debt and each.shared_amount > 0:
                self._pay(each.lot_id, each.shared_amount, is_theirs=self._debtors.get(each.lot_id, False))
                continue
            gross = self._gross(each, is_brought=is_brought) if paid and not each.is_debt else each.shared_amount
            self._add(each, gross, is_theirs=is_theirs)
            if gross != each.shared_amount:
                debtor = next(
                    (self._debtors.get(d.lot_id, False) for d in lines if d.is_debt and d.shared_amount > 0), is_theirs
                )
                self._add(each, each.shared_amount - gross, is_theirs=debtor, is_nameable=False)

    @staticmethod
    def _gross(line: Flow, *, is_brought: bool) -> int:
        """Return what came in of a lot, of which a part paid a debt at once."""
        if is_brought:
            return max(0, -line.side_amount)
        return line.made_amount or max(0, line.shared_amount)

    def _pay(self, lot_id: int, amount: int, *, is_theirs: bool) -> None:
        if is_theirs:
            self.net[lot_id] += amount

    def _add(self, line: Flow, amount: int, *, is_theirs: bool, is_nameable: bool = True) -> None:
        if is_theirs:
            self.net[line.lot_id] += amount
        if is_nameable and not line.side_amount:
            self.spent[is_theirs].setdefault(line.lot_id, Counter())[line.base_id] -= amount
            is_strange = is_theirs and line.origin_account_id not in self._side
            booked_on = self._parting.target_account_id if is_strange else line.origin_account_id
            self.payers[line.base_id] = find_payer(self._parting, line.origin_id, booked_on)

    def due(self, lot_id: int, rest: int) -> int:
        """Return what the side is to have of a lot of which so much is left; below zero: it has spent the other's."""
        own, expired = self.net[lot_id], self.expired[lot_id]
        if lot_id in self.debts:
            return max(rest, min(own, 0))
        others = rest - own - expired
        if not expired or own <= 0:
            return own
        if others <= 0:
            return own + expired
        return own + expired * own // (own + others)


def plan_parting(
    parting: Parting,
    flows: Sequence[Flow],
    *,
    main: Mapping[int, int],
    their_holds: Contents,
    other_holds: Contents,
    reversible: frozenset[int],
) -> PartingPlan:
    """Decide what goes where; `main` and the holds are what the source account has now, by lot.

    `reversible` are the transfers that a gift can name.
    """
    shares = Shares(flows, parting)
    moves: list[tuple[int, int]] = []
    returned: list[HeldPiece] = []
    pulled: list[HeldPiece] = []
    to_target: list[Gift] = []
    to_source: list[Gift] = []
    debt = 0
    held = {lot for hold in (*their_holds.values(), *other_holds.values()) for lot in hold}
    for lot_id in sorted({*shares.net, *main, *held}):
        if main.get(lot_id, 0) < 0 and lot_id not in shares.net:
            continue
        theirs = sum(each.get(lot_id, 0) for each in their_holds.values())
        others = sum(each.get(lot_id, 0) for each in other_holds.values())
        free = main.get(lot_id, 0)
        due = shares.due(lot_id, free + theirs + others)
        if lot_id in shares.debts:
            debt -= due
            continue
        foreign = max(0, theirs - max(due, 0))
        returned += _take_held(their_holds, lot_id, foreign)
        left = max(due, 0) - (theirs - foreign)
        pull = min(max(0, left - free - foreign), others)
        pulled += _take_held(other_holds, lot_id, pull)
        take = min(left - pull, free + foreign)
        if take > 0:
            moves.append((lot_id, take))
        to_target += _name(shares, lot_id, left - pull - take, reversible, parting.source_account_id, is_theirs=False)
        to_source += _name(shares, lot_id, -due, reversible, parting.target_account_id, is_theirs=True)
    return PartingPlan(
        moves=tuple(moves),
        returned=tuple(returned),
        pulled=tuple(pulled),
        to_target=tuple(to_target),
        to_source=tuple(to_source),
        debt=debt,
    )


def _take_held(holds: Contents, lot_id: int, wanted: int) -> list[HeldPiece]:
    """Take from the youngest hold first."""
    pieces: list[HeldPiece] = []
    for hold_id in sorted(holds, reverse=True):
        part = min(wanted, holds[hold_id].get(lot_id, 0))
        if part > 0:
            pieces.append(HeldPiece(hold_id=hold_id, lot_id=lot_id, amount=part))
            wanted -= part
    return pieces


def find_payer(parting: Parting, origin_id: int, account_id: int) -> int:
    """Say whose account pays for a transfer that is not the side's: by its source, or the one it was booked on."""
    return parting.payers.get(origin_id, account_id)


def _name(
    shares: Shares, lot_id: int, amount: int, reversible: frozenset[int], payer_account_id: int, *, is_theirs: bool
) -> list[Gift]:
    """Say which transfers took what is to be given back, as far as that can be said, and who pays for it."""
    gifts: list[Gift] = []
    for base_id, most in sorted(shares.spent[is_theirs].get(lot_id, Counter()).items()):
        part = min(amount, most)
        if part > 0 and base_id in reversible:
            payer = shares.payers[base_id]
            gifts.append(Gift(lot_id=lot_id, amount=part, spent_by=base_id, payer_account_id=payer))
            amount -= part
    if amount > 0:
        gifts.append(Gift(lot_id=lot_id, amount=amount, spent_by=None, payer_account_id=payer_account_id))
    return gifts
