"""Lots whose terms change because of what happened since: an event they waited for has come, or came by mistake. Pure.

Points that were pending and can be spent now are the same points: their lot gets other terms, nothing is posted.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from comity.ledger.types import Holding, TermChange
from comity.programme.engine import facts
from comity.programme.engine.correcting import Delta
from comity.programme.rules import to_ledger_terms
from comity.programme.stands import BookedLot
from comity.programme.types import LockedMember

TERMS = "terms"
"""What keys of changes begin with."""


class NewTerms(msgspec.Struct, frozen=True, kw_only=True):
    """A lot, so much of it as keeps its points, and its terms from now on."""

    lot: BookedLot
    points: int
    terms: facts.Terms


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """Deltas taken apart: lots that get other terms, and what is to be added and taken beside that."""

    changed: tuple[NewTerms, ...]
    left: tuple[Delta, ...]


def split_deltas(deltas: Sequence[Delta], lots: Mapping[int, Sequence[BookedLot]]) -> Split:
    """Find lots that only wait no more, or wait again; a lot that fits whole is preferred.

    Of a lot that keeps only a part of its points the rest is to be taken back from that very lot.
    """
    rest = {place: each.points for place, each in enumerate(deltas)}
    changed: list[NewTerms] = []
    done: set[tuple[int, int]] = set()
    for is_whole in (True, False):
        for place, less in enumerate(deltas):
            if less.points > 0:
                continue
            for lot in lots.get(int(less.purchase_id), ()):
                key = (lot.purchase_id, lot.lot_number)
                is_held = 0 < lot.points <= -rest[place] and lot.terms == less.terms and lot.currency == less.currency
                if key in done or not is_held:
                    continue
                target = _find_target(deltas, less, rest, _fits(lot, is_whole=is_whole))
                if target is None:
                    continue
                points = min(lot.points, rest[target])
                rest[place] += lot.points
                rest[target] -= points
                changed.append(NewTerms(lot=lot, points=points, terms=deltas[target].terms))
                done.add(key)
    left = [msgspec.structs.replace(each, points=rest[place]) for place, each in enumerate(deltas) if rest[place]]
    return Split(changed=tuple(changed), left=tuple(left))


def _fits(lot: BookedLot, *, is_whole: bool) -> Callable[[int], bool]:
    return lambda points: points == lot.points if is_whole else points > 0


def _find_target(
    deltas: Sequence[Delta], less: Delta, rest: Mapping[int, int], fits: Callable[[int], bool]
) -> int | None:
    """Return the place of points of the same purchase that are to be added by other terms, as an event changes them."""
    for place, more in enumerate(deltas):
        is_same = (more.purchase_id, more.currency, more.effective_on) == (
            less.purchase_id,
            less.currency,
            less.effective_on,
        )
        is_awaited = more.terms.awaits is not None or less.terms.awaits is not None
        if more.points > 0 and is_same and is_awaited and fits(rest[place]):
            return place
    return None


def plan_change(new: NewTerms, held: Holding | None, *, member: LockedMember, programme: str) -> TermChange:
    """Turn new terms of a lot into a change of the ledger; the key says which change of the lot it is.

    An expiry that activity has put off stays so.
    """
    terms = to_ledger_terms(new.terms, member.today)
    if held is not None and new.terms.expires_on == new.lot.expires_on:
        terms = msgspec.structs.replace(terms, expires_on=held.expires_on)
    lot = new.lot
    awaited = new.terms.awaits or lot.awaits
    said = "did not happen after all" if new.terms.awaits else "has come, or is waited for no longer"
    return TermChange(
        lot_id=lot.transfer_id,
        idempotency_key=f"{TERMS}:{programme}:{lot.purchase_id}:{lot.lot_number}:{lot.term_count + 1}",
        terms=terms,
        reason=f"What the points waited for {said}: {awaited}.",
    )


def change_lot(lot: BookedLot, terms: facts.Terms) -> BookedLot:
    """Return a lot with other terms."""
    return msgspec.structs.replace(
        lot,
        term_count=lot.term_count + 1,
        available_from=terms.available_from,
        expires_on=terms.expires_on,
        awaits=terms.awaits,
        waits_until=terms.waits_until,
    )
