"""Statements of the identity room, one function each; no decisions."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from comity.identity.arrays import SEPARATOR, array, texts
from comity.identity.match import CompiledMatch, Features, Identifier, Key
from comity.identity.rules import Decision, Edge, Node, Profile
from comity.identity.types import KeyInvalid, Record
from comity.kernel.database import Tx
from comity.kernel.errors import Broken
from comity.kernel.sql import SqlFolder, copy_in
from comity.mapping.types import RecordKey

_sql = SqlFolder(__package__)


FoundRecord = tuple[int, int, UUID, str, str, bool]
"""Position from 1, record, profile, row place, features as JSON, and whether it is alive with keys by these rules."""


def _key_texts(keys: Sequence[RecordKey]) -> dict[str, str]:
    """Write record keys as three lists of texts. Raises KeyInvalid for a key that would be taken for two, or none."""
    parts = (
        ("systems", [key.system for key in keys]),
        ("streams", [key.stream for key in keys]),
        ("external_ids", [key.external_id for key in keys]),
    )
    found: dict[str, str] = {}
    for name, values in parts:
        text = texts(values)
        if "" in values or text.count(SEPARATOR) != max(0, len(values) - 1):
            raise KeyInvalid
        found[name] = text
    return found


def take_turn(tx: Tx) -> int:
    """Wait until no other resolution runs; until the transaction ends none does. Returns the number of the turn."""
    return int(_sql.take_turn.value(tx))


def get_turn(tx: Tx) -> int:
    """Return the number of the last turn that is committed."""
    return int(_sql.get_turn.value(tx))


def find_records(tx: Tx, *, keys: Sequence[RecordKey], match_hash: int) -> list[FoundRecord]:
    """Find known records."""
    return _sql.find_records.rows(tx, **_key_texts(keys), match_hash=match_hash)


def find_record_ids(tx: Tx, *, keys: Sequence[RecordKey]) -> list[tuple[int, int, UUID]]:
    """Find records by key: position from 1, record, profile."""
    return _sql.find_record_ids.rows(
        tx,
        **_key_texts(keys),
    )


def hold_records(tx: Tx, *, keys: Sequence[RecordKey]) -> list[tuple[int, UUID]]:
    """Lock records, in the order of their ids: position from 1, profile."""
    return _sql.hold_records.rows(tx, **_key_texts(keys))


def has_records(tx: Tx) -> bool:
    """True when a record is known."""
    return bool(_sql.has_records.value(tx))


def draw_record_ids(tx: Tx, *, count: int) -> list[int]:
    """Draw ids for new records."""
    return sorted(row[0] for row in _sql.draw_record_ids.rows(tx, count=count))


def insert_records(
    tx: Tx, *, nodes: Sequence[Node], profile_ids: Sequence[UUID], rules: Sequence[str], match_hash: int, now: datetime
) -> None:
    """Store new records with their profiles."""
    copy_in(
        tx,
        table="identity.record",
        columns=(
            *("record_id", "system", "stream", "external_id", "profile_id", "features", "match_hash"),
            *("is_deleted", "linked_at", "rule"),
        ),
        types=("int8", "text", "text", "text", "uuid", "text", "int8", "bool", "timestamptz", "text"),
        rows=(
            (
                node.record_id,
                node.key.system,
                node.key.stream,
                node.key.external_id,
                profile_id,
                msgspec.json.encode(node.features).decode(),
                match_hash,
                node.is_deleted,
                now,
                rule,
            )
            for node, profile_id, rule in zip(nodes, profile_ids, rules, strict=True)
        ),
    )


def update_records(tx: Tx, *, features: Sequence[tuple[int, str, str]], match_hash: int) -> None:
    """Store features of records, as JSON, given with record and row place; a row moved since is a bug of ours."""
    if not features:
        return
    record_ids, places, values = zip(*features, strict=True)
    updated_count = _sql.update_records.execute(
        tx,
        record_ids=array(record_ids),
        places=texts(places),
        features=texts(values),
        match_hash=match_hash,
    )
    if updated_count != len(features):
        raise Broken(f"{len(features) - updated_count} records were changed out of turn.")


def bury_records(tx: Tx, *, record_ids: Sequence[int], match_hash: int) -> None:
    """Mark records as gone."""
    _sql.bury_records.execute(tx, record_ids=array(record_ids), match_hash=match_hash)


def move_records(
    tx: Tx, *, record_ids: Sequence[int], profile_ids: Sequence[UUID], rules: Sequence[str], now: datetime
) -> None:
    """Put records under other profiles."""
    _sql.move_records.execute(
        tx, record_ids=array(record_ids), profile_ids=array(profile_ids), rules=texts(rules), linked_at=now
    )


def drop_identifiers(tx: Tx, *, identifiers: Sequence[Identifier]) -> None:
    """Drop keys of records."""
    if identifiers:
        key_hashes, record_ids, _ = zip(*identifiers, strict=True)
        _sql.drop_identifiers.execute(tx, key_hashes=array(key_hashes), record_ids=array(record_ids))


def sweep_identifiers(tx: Tx, *, match: CompiledMatch) -> None:
    """Drop the keys that are never asked for under these rules."""
    _sql.sweep_identifiers.execute(tx, rule_tags=array(match.rule_tags))


def find_restless(tx: Tx, *, keys: Sequence[tuple[int, int, int]]) -> set[int]:
    """Find the records whose links may change: others have one of their keys, or too many do.

    Keys are given as record id, digest, and most records a link by it allows.
    """
    if not keys:
        return set()
    record_ids, key_hashes, limits = zip(*keys, strict=True)
    rows = _sql.find_restless.rows(tx, record_ids=array(record_ids), key_hashes=array(key_hashes), limits=array(limits))
    return {row[0] for row in rows}


def insert_identifiers(tx: Tx, *, identifiers: Iterable[Identifier]) -> None:
    """Store keys that are not there."""
    copy_in(
        tx,
        table="identity.identifier",
        columns=("key_hash", "record_id", "rule_tag"),
        types=("int8", "int8", "int4"),
        rows=identifiers,
    )


def put_identifiers(tx: Tx, *, identifiers: Sequence[Identifier]) -> None:
    """Store keys, some of which may be there."""
    if identifiers:
        key_hashes, record_ids, rule_tags = zip(*identifiers, strict=True)
        _sql.put_identifiers.execute(
            tx, key_hashes=array(key_hashes), record_ids=array(record_ids), rule_tags=array(rule_tags)
        )


def list_members(tx: Tx, *, keys: Sequence[Key], match: CompiledMatch, limits: Sequence[int]) -> dict[Key, list[int]]:
    """List the records of key values that at least two records share, each list cut at its limit."""
    rows = _sql.list_members.rows(tx, key_hashes=array(map(match.hash_of, keys)), limits=array(limits))
    return {keys[position - 1]: record_ids for position, record_ids in rows}


def list_nodes(tx: Tx, *, record_ids: Sequence[int], match: CompiledMatch) -> list[Node]:
    """Load records for matching."""
    return [
        Node(
            record_id=record_id,
            key=RecordKey(system, stream, external_id),
            profile_id=profile_id,
            features=features,
            is_deleted=is_deleted,
            match=match,
        )
        for record_id, system, stream, external_id, profile_id, features, is_deleted in _sql.list_facts.rows(
            tx, record_ids=array(record_ids)
        )
    ]


def list_edges(tx: Tx, *, record_ids: Sequence[int]) -> list[Edge]:
    """List the remembered links of records."""
    return [Edge(*row) for row in _sql.list_edges.rows(tx, record_ids=array(record_ids))]


def list_edges_by_evidence(tx: Tx, *, keys: Sequence[Key]) -> list[Edge]:
    """List the links made from key values."""
    rows = _sql.list_edges_by_evidence.rows(
        tx, rules=texts(rule for rule, _ in keys), values=texts(value for _, value in keys)
    )
    return [Edge(*row) for row in rows]


def list_decisions(tx: Tx, *, record_ids: Sequence[int]) -> list[Decision]:
    """List what was decided about records."""
    return [Decision(*row) for row in _sql.list_decisions.rows(tx, record_ids=array(record_ids))]


def find_decision(tx: Tx, *, record_a: int, record_b: int) -> tuple[bool, str, str] | None:
    """Find what was decided about one pair: whether they are the same, by whom, why."""
    rows = _sql.get_decision.rows(tx, record_a=min(record_a, record_b), record_b=max(record_a, record_b))
    return (rows[0][0], rows[0][1], rows[0][2]) if rows else None


def put_decisions(
    tx: Tx, *, pairs: Sequence[tuple[int, int]], is_same: bool, source: str, reason: str, now: datetime
) -> None:
    """Store decisions about pairs; the latest counts."""
    _sql.put_decisions.execute(
        tx,
        records_a=array(min(pair) for pair in pairs),
        records_b=array(max(pair) for pair in pairs),
        is_same=is_same,
        source=source,
        reason=reason,
        decided_at=now,
    )


def drop_decisions(tx: Tx, *, pairs: Sequence[tuple[int, int]], is_same: bool) -> None:
    """Take decisions of one sense back."""
    _sql.drop_decisions.execute(
        tx,
        records_a=array(min(pair) for pair in pairs),
        records_b=array(max(pair) for pair in pairs),
        is_same=is_same,
    )


def put_edges(tx: Tx, *, edges: Sequence[Edge], match_hash: int, now: datetime) -> None:
    """Remember links."""
    _sql.put_edges.execute(
        tx,
        records_a=array(edge.record_a for edge in edges),
        records_b=array(edge.record_b for edge in edges),
        rules=texts(edge.rule for edge in edges),
        values=texts(edge.value for edge in edges),
        match_hash=match_hash,
        linked_at=now,
    )


def drop_edges(tx: Tx, *, edges: Sequence[Edge]) -> None:
    """Forget links."""
    _sql.drop_edges.execute(
        tx,
        records_a=array(edge.record_a for edge in edges),
        records_b=array(edge.record_b for edge in edges),
        rules=texts(edge.rule for edge in edges),
    )


def list_profiles_by_founder(tx: Tx, *, record_ids: Sequence[int]) -> list[Profile]:
    """List the Global IDs that records founded."""
    return [Profile(*row) for row in _sql.list_profiles_by_founder.rows(tx, record_ids=array(record_ids))]


def insert_profiles(tx: Tx, *, profiles: Sequence[tuple[UUID, int]], now: datetime) -> None:
    """Store new Global IDs with their founding records."""
    copy_in(
        tx,
        table="identity.profile",
        columns=("profile_id", "founder_record_id", "created_at"),
        types=("uuid", "int8", "timestamptz"),
        rows=((profile_id, founder, now) for profile_id, founder in profiles),
    )


def put_aliases(tx: Tx, *, merged_into: dict[UUID, UUID | None]) -> None:
    """Merge profiles into others, or bring them back to life."""
    _sql.put_aliases.execute(tx, profile_ids=array(merged_into), merged_into=list(merged_into.values()))


def find_living(tx: Tx, *, profile_id: UUID) -> UUID | None:
    """Follow merges to the living profile."""
    rows = _sql.resolve_alias.rows(tx, profile_id=profile_id)
    return rows[0][0] if rows else None


def list_living(tx: Tx, *, profile_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """Follow merges of several profiles."""
    return {source: living for source, living in _sql.resolve_aliases.rows(tx, profile_ids=array(profile_ids))}  # noqa: C416 - two columns, as the type says.


def hold_profiles(tx: Tx, *, profile_ids: Sequence[UUID]) -> set[UUID]:
    """Lock profiles, in the order of their ids; return the living ones."""
    return {row[0] for row in _sql.hold_profiles.rows(tx, profile_ids=array(profile_ids))}


def list_records(tx: Tx, *, profile_ids: Sequence[UUID]) -> list[Record]:
    """List the records of living profiles."""
    return _sql.list_records.fetch(tx, Record, profile_ids=array(profile_ids))


def list_features(tx: Tx, *, profile_ids: Sequence[UUID]) -> list[tuple[int, UUID, Features]]:
    """List (record, profile, features) of the living records of living profiles."""
    return _sql.list_features.rows(tx, profile_ids=array(profile_ids))


def list_records_by_id(tx: Tx, *, record_ids: Sequence[int]) -> list[Record]:
    """List records by id."""
    return _sql.list_records_by_id.fetch(tx, Record, record_ids=array(record_ids))


def list_stale_records(tx: Tx, *, match_hash: int, after: int, limit: int) -> list[RecordKey]:
    """List living records whose keys were made by other rules."""
    rows = _sql.list_stale_records.rows(tx, match_hash=match_hash, after=after, limit=limit)
    return [RecordKey(system, stream, external_id) for _, system, stream, external_id in rows]


def find_profiles_by_identifier(tx: Tx, *, key_hash: int, limit: int) -> list[tuple[UUID, Features]]:
    """Find living profiles by one identifier, with the features of the record that has it."""
    return _sql.find_profiles_by_identifier.rows(tx, key_hash=key_hash, limit=limit)
