"""What is said where nobody is found: that there is no such member, or no such programme."""

import difflib
from collections.abc import Collection, Sequence
from uuid import UUID

from comity.kernel.database import Tx
from comity.programme import store
from comity.programme.types import UnknownMember
from comity.programme.wishes import ProgrammeNotDefined


def tell_strangers(tx: Tx, *, asked: Sequence[tuple[UUID, str]]) -> list[UnknownMember | ProgrammeNotDefined]:
    """Say of each (profile, programme) behind which there is no member which of both is unknown."""
    known = store.list_opened(tx) if asked else []
    return [
        UnknownMember(details={"profile_id": str(profile_id), "programme": programme})
        if programme in known
        else tell_undefined(programme, known=known)
        for profile_id, programme in asked
    ]


def tell_stranger(tx: Tx, *, profile_id: UUID, programme: str) -> UnknownMember | ProgrammeNotDefined:
    """Say which is unknown: the member, or the programme."""
    [told] = tell_strangers(tx, asked=[(profile_id, programme)])
    return told


def tell_undefined(programme: str, *, known: Collection[str]) -> ProgrammeNotDefined:
    """Say that there is no such programme, and which there are."""
    near = difflib.get_close_matches(programme, known, n=1)
    remedy = f"Did you mean {near[0]}?" if near else "Use one of those that are known."
    return ProgrammeNotDefined(details={"programme": programme, "known": sorted(known), "remedy": remedy})
