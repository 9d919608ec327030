"""Decisions no rule makes: records deleted or merged at their source, profiles merged or parted by a steward."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import product
from typing import Final
from uuid import UUID

from comity.identity import history, store
from comity.identity.match import CompiledMatch, Key
from comity.identity.resolve import identifiers_of, resolve_known
from comity.identity.rules import Clusters, Node
from comity.identity.types import (
    Cause,
    MergeRefused,
    NothingToUnmerge,
    ProfileUnknown,
    Record,
    RecordUnknown,
    Resolution,
)
from comity.kernel.database import Tx
from comity.kernel.ids import Ids
from comity.mapping.types import RecordKey

PAIRS_MAX: Final = 20_000
"""A profile with more pairs to part is a matter for the rules, not for a decision."""

STEWARD: Final = "steward"
VENDOR: Final = "vendor"
MERGED_AT_SOURCE: Final = "merged at the source"
HUB: Final = "hub"
RECORDS_SHOWN: Final = 100
CREATED_RULE: Final = "created_by_comity"


def forget_records(tx: Tx, *, keys: Sequence[RecordKey], match: CompiledMatch, now: datetime, ids: Ids) -> Resolution:
    """Take note that records were deleted at the source; see the door."""
    store.take_turn(tx)
    rows = store.find_record_ids(tx, keys=list(dict.fromkeys(keys)))
    known = {list(dict.fromkeys(keys))[position - 1] for position, _, _ in rows}
    vacated = _bury(tx, record_ids=[record_id for _, record_id, _ in rows], match=match)
    return resolve_known(
        tx,
        keys=[key for key in keys if key in known],
        seeds=[record_id for _, record_id, _ in rows],
        vacated=vacated,
        match=match,
        now=now,
        ids=ids,
    )


def merge_source_records(
    tx: Tx, *, loser_key: RecordKey, survivor_key: RecordKey, match: CompiledMatch, now: datetime, ids: Ids
) -> Resolution:
    """Take note that a system merged two of its records; see the door."""
    store.take_turn(tx)
    loser, survivor = _get_ids(tx, [loser_key, survivor_key])
    others = store.list_records(tx, profile_ids=[_profile_of(tx, survivor)])
    pairs = [(loser, record.record_id) for record in others if record.record_id != loser]
    store.drop_decisions(tx, pairs=pairs, is_same=False)
    if loser != survivor:
        store.put_decisions(
            tx, pairs=[(loser, survivor)], is_same=True, source=VENDOR, reason=MERGED_AT_SOURCE, now=now
        )
        vacated = _bury(tx, record_ids=[loser], match=match)
    else:
        vacated = Counter[Key]()
    return resolve_known(
        tx,
        keys=[loser_key, survivor_key],
        seeds=sorted({loser, survivor}),
        vacated=vacated,
        match=match,
        now=now,
        ids=ids,
        cause=Cause(source=VENDOR, actor=survivor_key.system, reason=MERGED_AT_SOURCE),
    )


def merge_profiles(
    tx: Tx, *, profile_ids: Sequence[UUID], match: CompiledMatch, reason: str, actor: str, now: datetime, ids: Ids
) -> Resolution:
    """Decide that profiles are one person; see the door."""
    store.take_turn(tx)
    living = store.list_living(tx, profile_ids=profile_ids)
    unknown = [str(profile_id) for profile_id in profile_ids if profile_id not in living]
    if unknown:
        raise ProfileUnknown(details={"profile_ids": unknown})
    groups: dict[UUID, list[Record]] = {profile_id: [] for profile_id in sorted(set(living.values()))}
    for record in store.list_records(tx, profile_ids=list(groups)):
        groups[record.profile_id].append(record)
    first, *others = groups.values()
    pairs: list[tuple[int, int]] = []
    for at, other in enumerate(others):
        earlier = [record for group in (first, *others[:at]) for record in group]
        across = _pairs(earlier, other)
        store.drop_decisions(tx, pairs=across, is_same=False)
        pairs.append((first[0].record_id, other[0].record_id))
    store.put_decisions(tx, pairs=pairs, is_same=True, source=STEWARD, reason=reason, now=now)
    keys = [record.key for group in groups.values() for record in group]
    return resolve_known(
        tx,
        keys=keys,
        seeds=[group[0].record_id for group in groups.values()],
        vacated={},
        match=match,
        now=now,
        ids=ids,
        cause=Cause(source=STEWARD, actor=actor, reason=reason),
    )


def adopt_records(
    tx: Tx, *, records: Sequence[tuple[RecordKey, UUID]], match: CompiledMatch, now: datetime
) -> list[Record]:
    """Store records that Comity made for people; see the door."""
    store.take_turn(tx)
    keys = [key for key, _ in records]
    known = {keys[position - 1] for position, _, _ in store.find_record_ids(tx, keys=keys)}
    living = store.list_living(tx, profile_ids=[profile_id for _, profile_id in records])
    new = [(key, living[profile_id]) for key, profile_id in records if key not in known and profile_id in living]
    nodes = [
        Node(record_id=record_id, key=key, profile_id=profile_id, features={}, is_deleted=False, match=match)
        for record_id, (key, profile_id) in zip(store.draw_record_ids(tx, count=len(new)), new, strict=True)
    ]
    founders: dict[UUID, int] = {}
    for record in store.list_records(tx, profile_ids=[profile_id for _, profile_id in new]):
        founders.setdefault(record.profile_id, record.record_id)
    store.insert_records(
        tx,
        nodes=nodes,
        profile_ids=[profile_id for _, profile_id in new],
        rules=[CREATED_RULE] * len(nodes),
        match_hash=match.match_hash,
        now=now,
    )
    pairs = [
        (founders[profile_id], node.record_id)
        for node, (_, profile_id) in zip(nodes, new, strict=True)
        if profile_id in founders
    ]
    store.put_decisions(tx, pairs=pairs, is_same=True, source=HUB, reason="created by Comity for this person", now=now)
    found = store.list_records_by_id(
        tx, record_ids=[record_id for _, record_id, _ in store.find_record_ids(tx, keys=keys)]
    )
    by_key = {record.key: record for record in found}
    return [by_key[key] for key in keys if key in by_key]


def unmerge_profile(
    tx: Tx,
    *,
    profile_id: UUID,
    keys: Sequence[RecordKey],
    match: CompiledMatch,
    reason: str,
    actor: str,
    now: datetime,
    ids: Ids,
) -> Resolution:
    """Decide that some records of a profile are somebody else; see the door."""
    store.take_turn(tx)
    living = store.find_living(tx, profile_id=profile_id)
    if living is None:
        raise ProfileUnknown(details={"profile_id": str(profile_id)})
    records = store.list_records(tx, profile_ids=[living])
    wanted = set(keys)
    leaving = [record for record in records if record.key in wanted]
    staying = [record for record in records if record.key not in wanted]
    known = {keys[position - 1]: owner for position, _, owner in store.find_record_ids(tx, keys=keys)}
    if wanted - known.keys():
        _get_ids(tx, keys)
    if len(leaving) < len(wanted) and _is_done(tx, living, set(known.values())):
        return _nothing_changed(tx, keys)
    _check_parting(living, leaving=leaving, staying=staying, strangers={k: v for k, v in known.items() if v != living})
    across = _pairs(leaving, staying)
    store.drop_decisions(tx, pairs=across, is_same=True)
    store.put_decisions(tx, pairs=across, is_same=False, source=STEWARD, reason=reason, now=now)
    for side in (leaving, staying):
        _hold_together(tx, records=side, match=match, reason=reason, now=now)
    return resolve_known(
        tx,
        keys=[record.key for record in records],
        seeds=[record.record_id for record in records],
        vacated={},
        match=match,
        now=now,
        ids=ids,
        cause=Cause(source=STEWARD, actor=actor, reason=reason),
    )


def _is_done(tx: Tx, profile_id: UUID, owners: set[UUID]) -> bool:
    """True when all records are one other person's already, whom a steward has parted from this one."""
    return len(owners) == 1 and history.has_parted(tx, profile_id=profile_id, other_profile_id=owners.pop())


def _nothing_changed(tx: Tx, keys: Sequence[RecordKey]) -> Resolution:
    rows = store.find_record_ids(tx, keys=keys)
    return Resolution(
        record_ids=[record_id for _, record_id, _ in rows],
        profile_ids=[profile_id for _, _, profile_id in rows],
        is_new=[False] * len(rows),
        is_steady=[True] * len(rows),
        created_profile_ids=[],
        merged=[],
        moved=[],
        affected_profile_ids=[],
    )


def _check_parting(
    profile_id: UUID, *, leaving: Sequence[Record], staying: Sequence[Record], strangers: Mapping[RecordKey, UUID]
) -> None:
    """Refuse what is no parting, and say why."""
    records = [_show(record.key) for record in (*leaving, *staying)][:RECORDS_SHOWN]
    if len(leaving) + len(staying) < 2:
        raise NothingToUnmerge(details={"profile_id": str(profile_id), "records": records})
    if strangers:
        raise MergeRefused(
            f"Of these records, {', '.join(map(_show, strangers))} are somebody else's; name records of this person.",
            details={
                "profile_id": str(profile_id),
                "records": records,
                "belong_to": {_show(key): str(owner) for key, owner in strangers.items()},
            },
        )
    if not leaving or not staying:
        raise MergeRefused(
            "Name the records that are somebody else's: some of this person's records, not all of them.",
            details={"profile_id": str(profile_id), "records": records},
        )


def _show(key: RecordKey) -> str:
    return f"{key.system}/{key.stream}/{key.external_id}"


def _hold_together(tx: Tx, *, records: Sequence[Record], match: CompiledMatch, reason: str, now: datetime) -> None:
    """Join what was one person only by way of the records that left: parting them from these says no more than that."""
    record_ids = [record.record_id for record in records]
    nodes: dict[int, Node] = {node.record_id: node for node in store.list_nodes(tx, record_ids=record_ids, match=match)}
    sets = Clusters(nodes, per_system_max=None, apart=())
    for edge in store.list_edges(tx, record_ids=record_ids):
        if edge.record_a in nodes and edge.record_b in nodes:
            sets.join(edge.record_a, edge.record_b)
    for decision in store.list_decisions(tx, record_ids=record_ids):
        if decision.is_same and decision.record_a in nodes and decision.record_b in nodes:
            sets.join(decision.record_a, decision.record_b)
    first, *others = sets.clusters()
    pairs = [(first[0], other[0]) for other in others]
    if pairs:
        store.put_decisions(tx, pairs=pairs, is_same=True, source=STEWARD, reason=reason, now=now)


def _bury(tx: Tx, *, record_ids: Sequence[int], match: CompiledMatch) -> Counter[Key]:
    """Mark records as deleted and take their keys away; count the records that left a key value."""
    vacated: Counter[Key] = Counter()
    living = [node for node in store.list_nodes(tx, record_ids=record_ids, match=match) if not node.is_deleted]
    identifiers = identifiers_of(living, match)
    for node in living:
        vacated.update(node.keys)
        node.is_deleted = True
    if living:
        store.bury_records(tx, record_ids=[node.record_id for node in living], match_hash=match.match_hash)
        store.drop_identifiers(tx, identifiers=identifiers)
    return vacated


def _pairs(left: Sequence[Record], right: Sequence[Record]) -> list[tuple[int, int]]:
    if len(left) * len(right) > PAIRS_MAX:
        raise MergeRefused(
            "These profiles have too many records to decide about at once; change the match rules instead.",
            details={"pairs_max": PAIRS_MAX},
        )
    return [(a.record_id, b.record_id) for a, b in product(left, right)]


def _get_ids(tx: Tx, keys: Sequence[RecordKey]) -> list[int]:
    found = {keys[position - 1]: record_id for position, record_id, _ in store.find_record_ids(tx, keys=keys)}
    unknown = [_show(key) for key in keys if key not in found]
    if unknown:
        raise RecordUnknown(f"Unknown record: {', '.join(unknown)}. Read it from its system first.")
    return [found[key] for key in keys]


def _profile_of(tx: Tx, record_id: int) -> UUID:
    return store.list_records_by_id(tx, record_ids=[record_id])[0].profile_id
