"""Whose is what of an account that two have shared: decided lot by lot, from all that ever happened to each. Pure.

Who earned units of a lot owns them, wherever they have been; who spent units of a lot is charged for those that were
not theirs: they go back into the lot, for its owner, and who spent them pays from their own lots. So both hold what
they would hold had they never shared. Each transfer is somebody's (its own, or that of the one on whose behalf it was
posted), and moves are nobody's: so it does not matter how often accounts were shared before, or with whom, and what has
been settled once is settled when it is read again.
"""

import enum
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby

import msgspec

from comity.ledger.rows import Flow

EXPIRE_KIND = "expire"

ON_BEHALF = "comity:transfer"
"""The system of transfers that are posted on behalf of another; their external id is that one's."""


class Shortfall(enum.StrEnum):
    """What happens when who spent the other's points cannot pay for them from what they can spend."""

    OWED = "owed"
    """The rest is a debt that their next accruals pay; no point is made or lost."""
    LET_GO = "let_go"
    """The programme bears the rest."""


class Parting(msgspec.Struct, frozen=True, kw_only=True):
    """A wish to part what is one side's from an account that was shared.

    `flows` are the history of the lots in question (`list_flows`); of the transfers on whose behalf they were posted,
    `own_transfer_ids` are the side's, and holds count as such transfers. `account_ids` are those of all who share the
    account, `side_account_ids` the side's own, `target_account_id` the one of them that gets what is theirs;
    `source_account_id` is the one where it is now. Transfers of `move_kind` and of `kind` between accounts change
    nothing about whose points they are.
    """

    idempotency_key: str
    source_account_id: int
    target_account_id: int
    programme_account_id: int
    account_ids: tuple[int, ...]
    side_account_ids: tuple[int, ...]
    flows: tuple[Flow, ...]
    own_transfer_ids: frozenset[int]
    move_kind: str
    kind: str
    effective_on: date
    system: str
    external_id: str
    reason: str
    shortfall: Shortfall = Shortfall.OWED


class Parted(msgspec.Struct, frozen=True, kw_only=True):
    """What was done: moved to the target, given back into lots that the other side had spent, paid for that by each.

    The shortfalls are the parts of what was to be paid that nobody could pay; of them the programme bore what was let
    go, the rest is owed.
    """

    moved: int = 0
    given_back_to_target: int = 0
    given_back_to_source: int = 0
    paid_by_target: int = 0
    paid_by_source: int = 0
    shortfall_of_target: int = 0
    shortfall_of_source: int = 0
    let_go_of_target: int = 0
    let_go_of_source: int = 0
    hold_ids: tuple[int, ...] = ()


class Gift(msgspec.Struct, frozen=True, kw_only=True):
    """Units to be given back into a lot.

    `spent_by` is the transfer that took them where a gift can name it, `origin_id` the one on whose behalf they went.
    """

    lot_id: int
    amount: int
    spent_by: int | None
    origin_id: int | None


class HeldPiece(msgspec.Struct, frozen=True, kw_only=True):
    """Units of a lot in a hold."""

    hold_id: int
    lot_id: int
    amount: int


class Owed(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a debt, and the transfer on whose behalf it was made."""

    lot_id: int
    amount: int
    origin_id: int


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
    debts: tuple[Owed, ...]


Contents = Mapping[int, Mapping[int, int]]
"""By hold and lot."""

Parts = list[tuple[int, int]]
"""Amounts by the transfer on whose behalf they were owed, in the order in which they are paid."""


class Shares:
    """Counts the side's part of each lot."""

    def __init__(self, parting: Parting, reversible: frozenset[int]) -> None:
        """`reversible` are the transfers that a gift can name."""
        self.net: Counter[int] = Counter()
        self.debts: dict[int, Parts] = {}
        self.spent: defaultdict[int, Counter[tuple[int, int]]] = defaultdict(Counter)
        self._rest: dict[bool, Counter[int]] = {True: Counter(), False: Counter()}
        self._own = parting.own_transfer_ids
        self._side = frozenset(parting.side_account_ids)
        self._sharing = frozenset(parting.account_ids)
        self._moving = {parting.move_kind, parting.kind}
        self._reversible = reversible
        for _, lines in groupby(parting.flows, key=lambda each: each.transfer_id):
            self._count(list(lines))

    def is_theirs(self, origin_id: int) -> bool:
        """True for a transfer of the side."""
        return origin_id in self._own

    def _count(self, lines: Sequence[Flow]) -> None:
        first = lines[0]
        if first.kind == EXPIRE_KIND:
            self._expire(lines)
            return
        paid = [part for each in lines if _pays(each) for part in self._take(each)]
        left = self._spend(lines, paid)
        if _is_between(first) and (first.kind in self._moving or first.debit_holder_id == first.credit_holder_id):
            self._owe(lines, left)
            return
        self._owe(lines, [(first.origin_id, -each.amount) for each in lines if _owes(each)])

    def _expire(self, lines: Sequence[Flow]) -> None:
        """Let units expire that are there: of those who share the account in proportion, then of others."""
        for each in lines:
            lot_id, left = each.lot_id, -each.amount
            is_inside = each.holder_id in self._sharing
            for group in (is_inside, not is_inside):
                rest = self._rest[group]
                has, others = max(0, self.net[lot_id]), max(0, rest[lot_id])
                part = min(left, has + others)
                theirs = part * has // (has + others) if part else 0
                self.net[lot_id] -= theirs
                rest[lot_id] -= part - theirs
                left -= part

    def _take(self, line: Flow) -> Parts:
        """Pay a debt: first what was owed on behalf of the same transfer, then from the oldest part on."""
        parts = self.debts.get(line.lot_id, [])
        ordered = sorted(parts, key=lambda part: part[0] != line.origin_id)
        paid, self.debts[line.lot_id] = _cut(ordered, line.amount)
        return paid

    def _owe(self, lines: Sequence[Flow], parts: Parts) -> None:
        for each in lines:
            if _owes(each):
                self.debts[each.lot_id], parts = _cut(parts, -each.amount)

    def _spend(self, lines: Sequence[Flow], paid: Parts) -> Parts:
        """Count what came and went; what paid debts was spent by the debtors. Returns the debts that nothing paid."""
        first = lines[0]
        is_move = _is_between(first) and (first.kind in self._moving or first.debit_holder_id == first.credit_holder_id)
        lots: defaultdict[int, list[Flow]] = defaultdict(list)
        for each in lines:
            if not each.is_debt:
                lots[each.lot_id].append(each)
        unseen = sum(amount for _, amount in paid)
        changes: list[tuple[int, int, int]] = []
        for lot_id, each in lots.items():
            amount = sum(line.amount for line in each)
            came = sum(line.made_amount for line in each)
            if is_move:
                changes.append((lot_id, 0, -amount))
            elif _is_between(first):
                gone = -sum(line.amount for line in each if line.holder_id == first.debit_holder_id)
                # What names another transfer brings back what that one gave.
                given = gone if first.base_id == first.transfer_id else -gone
                self._add(lot_id, first, -given)
                self._receive(lot_id, first.credit_holder_id if given > 0 else first.debit_holder_id, given)
                changes.append((lot_id, 0, -amount))
            elif first.debit_holder_id is not None:
                self._add(lot_id, first, amount)
            else:
                came = came or max(0, amount)
                changes.append((lot_id, came, came - amount))
        unseen -= sum(went for _, _, went in changes)
        for lot_id, came, went in changes:
            # What came back into a lot and paid a debt at once.
            hidden = unseen if came and unseen > 0 and not is_move else 0
            unseen -= hidden
            if came:
                self._add(lot_id, first, came + hidden)
            spent, paid = _cut(paid, went + hidden)
            for origin_id, part in spent:
                self._book(lot_id, origin_id, None, -part)
        return paid if is_move or not unseen else self._spend_again(first, paid)

    def _spend_again(self, line: Flow, paid: Parts) -> Parts:
        """Count what came back into lots and paid debts at once, all of it: into those that were spent."""
        for lot_id in sorted(self.spent, reverse=True):
            back, paid = _cut(paid, max(0, self.spent[lot_id][line.base_id, line.origin_id]))
            for origin_id, part in back:
                self._add(lot_id, line, part)
                self._book(lot_id, origin_id, None, -part)
        return paid

    def _add(self, lot_id: int, line: Flow, amount: int) -> None:
        self._book(lot_id, line.origin_id, line.base_id, amount, account_id=line.origin_account_id)

    def _receive(self, lot_id: int, holder_id: int | None, amount: int) -> None:
        """Count what a member got from another member, or (below zero) gave back."""
        if holder_id in self._side:
            self.net[lot_id] += amount
        else:
            self._rest[holder_id in self._sharing][lot_id] += amount

    def _book(
        self, lot_id: int, origin_id: int, base_id: int | None, amount: int, *, account_id: int | None = None
    ) -> None:
        if self.is_theirs(origin_id):
            self.net[lot_id] += amount
        else:
            self._rest[account_id is None or account_id in self._sharing][lot_id] += amount
        named = base_id if base_id in self._reversible else None
        self.spent[lot_id][named or 0, origin_id] -= amount


def _is_between(line: Flow) -> bool:
    return line.debit_holder_id is not None and line.credit_holder_id is not None


def _owes(line: Flow) -> bool:
    return line.is_debt and line.lot_id == line.transfer_id


def _pays(line: Flow) -> bool:
    return line.is_debt and line.amount > 0


def _cut(parts: Iterable[tuple[int, int]], amount: int) -> tuple[Parts, Parts]:
    """Part amounts into the first so many and the others."""
    taken: Parts = []
    left: Parts = []
    for origin_id, most in parts:
        part = min(most, amount)
        amount -= part
        if part > 0:
            taken.append((origin_id, part))
        if most > part:
            left.append((origin_id, most - part))
    return taken, left


def plan_parting(
    parting: Parting,
    *,
    main: Mapping[int, int],
    their_holds: Contents,
    other_holds: Contents,
    reversible: frozenset[int],
) -> PartingPlan:
    """Decide what goes where; `main` and the holds are what the source account has now, by lot.

    `reversible` are the transfers that a gift can name.
    """
    shares = Shares(parting, reversible)
    moves: list[tuple[int, int]] = []
    returned: list[HeldPiece] = []
    pulled: list[HeldPiece] = []
    to_target: list[Gift] = []
    to_source: list[Gift] = []
    for lot_id in sorted(shares.spent):
        theirs = sum(each.get(lot_id, 0) for each in their_holds.values())
        others = sum(each.get(lot_id, 0) for each in other_holds.values())
        free = max(0, main.get(lot_id, 0))
        due = shares.net[lot_id]
        foreign = max(0, theirs - max(due, 0))
        returned += _take_held(their_holds, lot_id, foreign)
        left = max(due, 0) - (theirs - foreign)
        pull = min(max(0, left - free - foreign), others)
        pulled += _take_held(other_holds, lot_id, pull)
        take = min(left - pull, free + foreign)
        if take > 0:
            moves.append((lot_id, take))
        to_target += _name(shares, lot_id, left - pull - take, is_theirs=False)
        to_source += _name(shares, lot_id, -due, is_theirs=True)
    return PartingPlan(
        moves=tuple(moves),
        returned=tuple(returned),
        pulled=tuple(pulled),
        to_target=tuple(to_target),
        to_source=tuple(to_source),
        debts=tuple(_list_debts(shares, main)),
    )


def _list_debts(shares: Shares, main: Mapping[int, int]) -> Iterator[Owed]:
    for lot_id, parts in sorted(shares.debts.items()):
        left = max(0, -main.get(lot_id, 0))
        for origin_id, amount in parts:
            part = min(left, amount) if shares.is_theirs(origin_id) else 0
            left -= part
            if part:
                yield Owed(lot_id=lot_id, amount=part, origin_id=origin_id)


def _take_held(holds: Contents, lot_id: int, wanted: int) -> list[HeldPiece]:
    """Take from the youngest hold first."""
    pieces: list[HeldPiece] = []
    for hold_id in sorted(holds, reverse=True):
        part = min(wanted, holds[hold_id].get(lot_id, 0))
        if part > 0:
            pieces.append(HeldPiece(hold_id=hold_id, lot_id=lot_id, amount=part))
            wanted -= part
    return pieces


def _name(shares: Shares, lot_id: int, amount: int, *, is_theirs: bool) -> Iterator[Gift]:
    """Say which transfers took what is to be given back, and on whose behalf, as far as that can be said."""
    for (base_id, origin_id), most in sorted(shares.spent[lot_id].items()):
        part = min(amount, most) if shares.is_theirs(origin_id) is is_theirs else 0
        if part > 0:
            yield Gift(lot_id=lot_id, amount=part, spent_by=base_id or None, origin_id=origin_id)
            amount -= part
    if amount > 0:
        yield Gift(lot_id=lot_id, amount=amount, spent_by=None, origin_id=None)
