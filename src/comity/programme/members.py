"""Members held for the length of a transaction, so that earning, spending and merging never cross."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from comity.kernel.database import Tx
from comity.programme import store
from comity.programme.types import LockedMember

LOOKS_MAX = 3


def lock_members(tx: Tx, *, wishes: Sequence[tuple[UUID, str]], now: datetime) -> dict[int, LockedMember]:
    """Lock the living members behind (profile, programme) and return them by place; who is none is left out.

    Looks again for those not found: a member merged while we waited for its lock has become an alias.
    """
    found = store.lock_members(tx, wishes=wishes, now=now)
    for _ in range(1, LOOKS_MAX):
        missing = [place for place in range(len(wishes)) if place not in found]
        if not missing:
            break
        again = store.lock_members(tx, wishes=[wishes[place] for place in missing], now=now)
        if not again:
            break
        found |= {missing[place]: member for place, member in again.items()}
    return found
