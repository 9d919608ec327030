"""What two share, kind by kind: a purse for each kind of points that is to be parted."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from comity.kernel.database import Tx
from comity.kernel.errors import Broken
from comity.programme import store, store_kinds
from comity.programme.kind_accounts import open_accounts, provide
from comity.programme.kinds import list_kinds
from comity.programme.merge_types import Risen
from comity.programme.types import KnownProgramme, LockedMember, Programme


class Purse(msgspec.Struct, frozen=True, kw_only=True):
    """Points of one kind that lie in one account, where they are to go, and the programme's own account.

    `accounts` are those of the kind, by the account of the first kind beside which they are; `others` are the names of
    the kinds after the first.
    """

    kind: str
    is_further: bool
    source_account_id: int
    target_account_id: int
    programme_account_id: int
    accounts: Mapping[int, int] | None = None
    others: frozenset[str] = frozenset()

    def beside(self, account_ids: Iterable[int | None]) -> list[int]:
        """Return the accounts of this kind, of those who have these of the first kind."""
        found = (each for each in account_ids if each is not None)
        return (
            list(found) if self.accounts is None else [self.accounts[each] for each in found if each in self.accounts]
        )

    def pick(self, transfers: Iterable[tuple[int, str]]) -> list[int]:
        """Return those of the transfers, each told with its kind, that are of this one."""
        return [
            transfer_id
            for transfer_id, kind in transfers
            if (kind == self.kind if self.is_further else kind not in self.others)
        ]


def list_purses(tx: Tx, programme: Programme, risen: Risen, *, accounts: Sequence[int], now: datetime) -> list[Purse]:
    """Return what an alias and who stands for it have shared: the first kind, and all others that lie there."""
    known = _get_programme(tx, programme)
    others = frozenset(known.further_kinds or ())
    found = [_to_first(known, others, risen.holder_account_id, risen.account_id or 0)]
    if not list_kinds(programme).further:
        return found
    members = [risen.holder_member_id, risen.member_id]
    own = store_kinds.list_accounts(tx, member_ids=members)
    beside = store_kinds.list_beside(tx, account_ids=sorted({*accounts, risen.holder_account_id}))
    for kind, source in sorted(own.get(risen.holder_member_id, {}).items()):
        target = own.get(risen.member_id, {}).get(kind)
        if target is None:
            [target] = open_accounts(tx, [(programme.name, risen.member_id, kind)], now=now)
        found.append(
            Purse(
                kind=kind,
                is_further=True,
                source_account_id=source,
                target_account_id=target,
                programme_account_id=(known.further_kinds or {})[kind]["account_id"],
                accounts=beside.get(kind, {}) | {risen.account_id or 0: target},
                others=others,
            )
        )
    return found


def list_purses_of(
    tx: Tx, programme: Programme, source: LockedMember, target: LockedMember, *, now: datetime
) -> list[Purse]:
    """Return the purses of two locked members between whom purchases move."""
    known = _get_programme(tx, programme)
    others = frozenset(known.further_kinds or ())
    found = [_to_first(known, others, source.account_id, target.account_id)]
    both = provide(tx, {0: source, 1: target}, programme=programme, now=now)
    for kind in list_kinds(programme).further:
        giver, taker = both[0].of_kind(kind), both[1].of_kind(kind)
        found.append(
            Purse(
                kind=kind,
                is_further=True,
                source_account_id=giver.account_id,
                target_account_id=taker.account_id,
                programme_account_id=giver.programme_account_id,
                others=others,
            )
        )
    return found


def _to_first(known: KnownProgramme, others: frozenset[str], source: int, target: int) -> Purse:
    return Purse(
        kind=known.kind,
        is_further=False,
        source_account_id=source,
        target_account_id=target,
        programme_account_id=known.account_id,
        others=others,
    )


def _get_programme(tx: Tx, programme: Programme) -> KnownProgramme:
    known = store.find_programme(tx, programme=programme.name)
    if known is None:
        raise Broken("Members are parted of a programme that was never opened.", details={"programme": programme.name})
    return known
