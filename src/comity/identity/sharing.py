"""Whether two people have an e-mail address or a telephone number in common, though they are two."""

from collections.abc import Sequence
from uuid import UUID

from comity.identity import store
from comity.identity.match import CompiledMatch
from comity.kernel.database import Tx

Pair = tuple[UUID, UUID]


def find_sharing(tx: Tx, *, pairs: Sequence[Pair], match: CompiledMatch) -> set[Pair]:
    """Return the pairs of profiles (aliases included) of which two records share what people are found by.

    Records that somebody decided to be different people's share nothing.
    """
    living = store.list_living(tx, profile_ids=sorted({each for pair in pairs for each in pair}))
    keys: dict[UUID, dict[tuple[str, str], set[int]]] = {}
    record_ids: list[int] = []
    for record_id, profile_id, features in store.list_features(tx, profile_ids=sorted(set(living.values()))):
        record_ids.append(record_id)
        for key in match.lookups_of(match.folded(features)):
            keys.setdefault(profile_id, {}).setdefault(key, set()).add(record_id)
    apart = {
        (each.record_a, each.record_b) for each in store.list_decisions(tx, record_ids=record_ids) if not each.is_same
    }
    return {pair for pair in pairs if _shares(*(keys.get(living.get(each, each), {}) for each in pair), apart=apart)}


def _shares(
    one: dict[tuple[str, str], set[int]], other: dict[tuple[str, str], set[int]], *, apart: set[tuple[int, int]]
) -> bool:
    return any(
        (min(record_a, record_b), max(record_a, record_b)) not in apart
        for key in one.keys() & other.keys()
        for record_a in one[key]
        for record_b in other[key]
    )
