"""What is stored of the records of a batch, and what the batch changes in it: told in its turn, or some turns before.

Resolutions take turns, which are numbered (`store.take_turn`). What was told before holds if it is known what every
turn since touched: those records are looked at again. A turn that is not known spoils all that was told.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec

from comity.identity import store
from comity.identity.arrays import json_text
from comity.identity.match import CompiledMatch, Features
from comity.identity.rekeying import Rekeyed, Rekeying
from comity.identity.types import RecordFacts, Touched
from comity.kernel.database import Tx
from comity.mapping.types import RecordKey

_decode_features = msgspec.json.Decoder(dict[str, str | None]).decode


class Outdated(NamedTuple):
    """A known record that is gone, or whose keys were made by other rules."""

    key: RecordKey
    record_id: int
    profile_id: UUID
    place: str
    stored: Features


class Known(msgspec.Struct):
    """What is stored of a batch: record and profile by key, whose keys are by the rules in force, and what changes."""

    places: dict[RecordKey, tuple[int, UUID]]
    steady: set[RecordKey]
    outdated: list[Outdated]
    rekeyed: Rekeyed


class Recalled(msgspec.Struct, frozen=True):
    """What was stored after a turn: position from 1, record and profile; and what changes.

    The records at the positions of `again` have to be looked at again.
    """

    turn: int
    places: list[tuple[int, int, UUID]]
    again: list[int]
    rekeyed: Rekeyed


def between(trail: Sequence[Touched], earlier: int, later: int) -> tuple[set[str], set[int]] | None:
    """Return ids of the records that the turns between two touched, and those they moved; None if one is not known."""
    known = {touched.turn: touched for touched in trail}
    external_ids: set[str] = set()
    record_ids: set[int] = set()
    for turn in range(earlier + 1, later):
        touched = known.get(turn)
        if touched is None:
            return None
        external_ids.update(touched.external_ids)
        record_ids.update(touched.moved)
    return external_ids, record_ids


def facts_by_key(records: Sequence[RecordFacts], match: CompiledMatch) -> dict[RecordKey, Features]:
    """Tell what records say of the features that rules look at; of a key given twice the later one wins."""
    wanted = match.attributes
    facts: dict[RecordKey, Features] = {}
    for record in records:
        given = record.features
        if "" in given.values() or not given.keys() <= match.looked_at:
            features = {name: given[name] or None for name in wanted if name in given}
        else:
            features = given
        facts[record.key] = {**facts[record.key], **features} if record.key in facts else features
    return facts


def recall_records(tx: Tx, *, records: Sequence[RecordFacts], match: CompiledMatch) -> Recalled:
    """Look at what is stored of records; what a turn changes meanwhile may be seen or not."""
    turn = store.get_turn(tx)
    facts = facts_by_key(records, match)
    known = look(tx, facts, match)
    positions = {key: position for position, key in enumerate(facts, start=1)}
    return Recalled(
        turn=turn,
        places=[(positions[key], *known.places[key]) for key in known.steady],
        again=[positions[each.key] for each in known.outdated],
        rekeyed=known.rekeyed,
    )


def look_in_turn(
    tx: Tx,
    facts: Mapping[RecordKey, Features],
    match: CompiledMatch,
    *,
    turn: int,
    recalled: Recalled | None,
    trail: Sequence[Touched],
) -> Known:
    """Look at what is stored of records, except where what was recalled of these very facts still holds."""
    touched = None if recalled is None else between(trail, recalled.turn, turn)
    if recalled is None or touched is None:
        return look(tx, facts, match)
    external_ids, moved = touched
    keys = list(facts)
    again = {position for position, key in enumerate(keys, start=1) if key.external_id in external_ids}
    again.update(recalled.again)
    places: dict[RecordKey, tuple[int, UUID]] = {}
    left: set[int] = set()
    for position, record_id, profile_id in recalled.places:
        if position in again or record_id in moved:
            again.add(position)
            left.add(record_id)
        else:
            places[keys[position - 1]] = (record_id, profile_id)
    known = look(tx, {key: facts[key] for key in (keys[position - 1] for position in sorted(again))}, match)
    known.steady |= places.keys()
    known.places |= places
    known.rekeyed.add(recalled.rekeyed, without=left)
    return known


def look(tx: Tx, facts: Mapping[RecordKey, Features], match: CompiledMatch) -> Known:
    """Look at what is stored of records, and tell what changes."""
    keys = list(facts)
    rekeying = Rekeying(match)
    known = Known(places={}, steady=set(), outdated=[], rekeyed=rekeying.found)
    for position, record_id, profile_id, place, features, is_current in (
        store.find_records(tx, keys=keys, match_hash=match.match_hash) if keys else ()
    ):
        key, stored = keys[position - 1], _decode_features(features)
        known.places[key] = (record_id, profile_id)
        if not is_current:
            known.outdated.append(Outdated(key, record_id, profile_id, place, stored))
            continue
        known.steady.add(key)
        if not facts[key].items() <= stored.items():
            after = {**stored, **facts[key]}
            rekeying.found.saved.append((record_id, place, json_text(after)))
            rekeying.note(record_id, stored, after)
    return known
