"""Resolving: from facts about records to links, clusters and Global IDs, in one transaction."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from comity.identity import history, reviews, store
from comity.identity.arrays import json_text
from comity.identity.closure import Closure, ClosureTooLarge
from comity.identity.match import CompiledMatch, Features, Identifier, Key
from comity.identity.outcome import Outcome
from comity.identity.recall import Known, Outdated, Recalled, facts_by_key, look_in_turn
from comity.identity.rekeying import Rekeying
from comity.identity.reviews import Doubt
from comity.identity.rules import Node, Partition, assign, brought_by, partition
from comity.identity.types import (
    PROFILE_CREATED,
    PROFILES_MERGED,
    RECORDS_MAX,
    RECORDS_MOVED,
    Cause,
    RecordFacts,
    Resolution,
    TooManyRecords,
    Touched,
)
from comity.kernel.database import Tx
from comity.kernel.events import publish
from comity.kernel.ids import Ids
from comity.mapping.types import RecordKey

FOUNDED: Final = "founded"
"""What a record's `rule` says when no link brought it to its profile."""
DECIDED: Final = "decided"


class Resolver:
    """One call's work on the identity tables."""

    def __init__(self, tx: Tx, *, match: CompiledMatch, now: datetime, ids: Ids) -> None:
        """Take the transaction, which must hold the identity lock, the rules, the time and the source of ids."""
        self.cause = Cause()
        self._tx = tx
        self._match = match
        self._now = now
        self._ids = ids
        self._pending: dict[int, Node] = {}
        self.outcome = Outcome()

    def resolve(
        self, seeds: Sequence[int], *, vacated: Mapping[Key, int] | None = None, pending: Sequence[Node] = ()
    ) -> None:
        """Settle records and everything connected with them. `pending` are new records whose keys are stored."""
        self._pending.update((node.record_id, node) for node in pending)
        closure = Closure(self._tx, match=self._match, pending=self._pending)
        try:
            closure.load(seeds, vacated=vacated or {})
        except ClosureTooLarge:
            self._resolve_piecemeal(seeds)
            return
        self._settle(closure)

    def _resolve_piecemeal(self, seeds: Sequence[int]) -> None:
        if len(seeds) > 1:
            middle = len(seeds) // 2
            self.resolve(seeds[:middle])
            self.resolve(seeds[middle:])
            return
        # Keys that connect everybody with everybody are not believed: the record stays as it is, a steward looks.
        doubts = [Doubt("too_large", "-", "-", seeds[0], seeds[0])]
        reviews.put_reviews(self._tx, doubts=doubts, details=[{}], now=self._now)
        node = self._pending.pop(seeds[0], None)
        if node is not None:
            self._store_new([(node, self._found(node.record_id), FOUNDED)])

    def _settle(self, closure: Closure) -> None:
        if not closure.nodes:
            return
        result = partition(
            closure.nodes, edges=closure.edges, decisions=list(closure.decisions.values()), match=self._match
        )
        self._save_links(closure, result)
        self._save_doubts(closure, result)
        self._save_people(closure, result)

    def _save_links(self, closure: Closure, result: Partition) -> None:
        kept = {(edge.record_a, edge.record_b): edge for edge in result.joining}
        lost = [edge for place, edge in closure.remembered.items() if place not in kept]
        fresh = [edge for place, edge in kept.items() if closure.remembered.get(place) != edge]
        if lost:
            store.drop_edges(self._tx, edges=lost)
        if fresh:
            store.put_edges(self._tx, edges=fresh, match_hash=self._match.match_hash, now=self._now)

    def _save_doubts(self, closure: Closure, result: Partition) -> None:
        at = {record_id: number for number, cluster in enumerate(result.clusters) for record_id in cluster}
        doubts = {doubt for doubt in closure.doubts if at.get(doubt.record_a, -1) != at.get(doubt.record_b, -2)}
        parted = {place for place, decision in closure.decisions.items() if not decision.is_same}
        doubts.update(
            Doubt("cardinality", edge.rule, edge.value, edge.record_a, edge.record_b)
            for edge in result.refused
            if (edge.record_a, edge.record_b) not in parted
        )
        ordered = sorted(doubts)
        if closure.cleared:
            reviews.close_shared_values(self._tx, keys=closure.cleared, now=self._now)
        if any(node.record_id not in self._pending for node in closure.nodes.values()):
            reviews.close_reviews(self._tx, record_ids=list(closure.nodes), doubts=ordered, now=self._now)
        if ordered:
            details = [{"shared_by": closure.members((doubt.rule, doubt.value))} for doubt in ordered]
            reviews.put_reviews(self._tx, doubts=ordered, details=details, now=self._now)

    def _save_people(self, closure: Closure, result: Partition) -> None:
        stored = [record_id for record_id in closure.nodes if record_id not in self._pending]
        profiles = store.list_profiles_by_founder(self._tx, record_ids=stored) if stored else []
        assignment = assign(result.clusters, profiles=profiles)
        fresh: list[tuple[UUID, int]] = []
        profile_of: list[UUID] = []
        for cluster, known in zip(result.clusters, assignment.profile_of_cluster, strict=True):
            profile_id = known or self._ids.uuid7(self._now)
            profile_of.append(profile_id)
            if known is None:
                fresh.append((profile_id, cluster[0]))
        if fresh:
            store.insert_profiles(self._tx, profiles=fresh, now=self._now)
            self.outcome.created.extend(profile_id for profile_id, _ in fresh)
        if assignment.merged_into:
            store.put_aliases(self._tx, merged_into=assignment.merged_into)
            self.outcome.note_aliases(assignment.merged_into)
        self._save_places(closure, result, profile_of)

    def _save_places(self, closure: Closure, result: Partition, profile_of: Sequence[UUID]) -> None:
        """Store new records under their profiles, and move those that changed theirs."""
        rules = brought_by(result.joining)
        new_records: list[tuple[Node, UUID, str]] = []
        moves: list[tuple[int, UUID, str]] = []
        for cluster, profile_id in zip(result.clusters, profile_of, strict=True):
            for record_id in cluster:
                node = closure.nodes[record_id]
                if node.profile_id == profile_id:
                    continue
                rule = rules.get(record_id, FOUNDED if record_id == cluster[0] else DECIDED)
                if node.profile_id is None:
                    new_records.append((node, profile_id, rule))
                    self.outcome.affected.add(profile_id)
                else:
                    moves.append((record_id, profile_id, rule))
                    self.outcome.note_move(record_id, node.profile_id, profile_id)
                    node.profile_id = profile_id
        if new_records:
            self._store_new(new_records)
        if moves:
            store.move_records(
                self._tx,
                record_ids=[move[0] for move in moves],
                profile_ids=[move[1] for move in moves],
                rules=[move[2] for move in moves],
                now=self._now,
            )

    def _found(self, record_id: int) -> UUID:
        profile_id = self._ids.uuid7(self._now)
        store.insert_profiles(self._tx, profiles=[(profile_id, record_id)], now=self._now)
        self.outcome.created.append(profile_id)
        self.outcome.affected.add(profile_id)
        return profile_id

    def _store_new(self, records: Sequence[tuple[Node, UUID, str]]) -> None:
        store.insert_records(
            self._tx,
            nodes=[node for node, _, _ in records],
            profile_ids=[profile_id for _, profile_id, _ in records],
            rules=[rule for _, _, rule in records],
            match_hash=self._match.match_hash,
            now=self._now,
        )
        for node, profile_id, _ in records:
            node.profile_id = profile_id
            self._pending.pop(node.record_id, None)

    def publish(self) -> None:
        """Tell the rooms downstream who is new (or their own person again), who was merged, which records moved."""
        outcome = self.outcome
        created = [{"profile_id": str(profile_id)} for profile_id in (*outcome.created, *sorted(outcome.revived))]
        merged = [
            {"loser_profile_id": str(loser), "survivor_profile_id": str(survivor)}
            for loser, survivor in outcome.merged.items()
        ]
        moved = [
            {"record_id": move.record_id, "source": str(move.source), "target": str(move.target)}
            for move in outcome.moved.values()
        ]
        publish(self._tx, kind=PROFILE_CREATED, payloads=created, now=self._now)
        publish(self._tx, kind=PROFILES_MERGED, payloads=merged, now=self._now)
        publish(self._tx, kind=RECORDS_MOVED, payloads=moved, now=self._now)
        if outcome.moved:
            history.note(
                self._tx,
                merged=outcome.merged,
                risen=(*outcome.created, *sorted(outcome.revived)),
                moved=list(outcome.moved.values()),
                cause=self.cause,
                now=self._now,
            )


def resolve_records(
    tx: Tx,
    *,
    records: Sequence[RecordFacts],
    match: CompiledMatch,
    now: datetime,
    ids: Ids,
    recalled: Recalled | None = None,
    trail: Sequence[Touched] = (),
) -> Resolution:
    """Link records to profiles; see the door."""
    if len(records) > RECORDS_MAX:
        raise TooManyRecords
    facts = facts_by_key(records, match)
    turn = store.take_turn(tx)
    known = look_in_turn(tx, facts, match, turn=turn, recalled=recalled, trail=trail)
    resolver = Resolver(tx, match=match, now=now, ids=ids)
    new_nodes = _new_nodes(tx, [(key, facts[key]) for key in facts if key not in known.places], match)
    if new_nodes or known.rekeyed.saved or known.outdated:
        store.insert_identifiers(tx, identifiers=identifiers_of(new_nodes.values(), match))
        restless, vacated = _save_changed(tx, known, facts, match)
        seeds = sorted({node.record_id for node in new_nodes.values()} | restless)
        resolver.resolve(seeds, vacated=vacated, pending=list(new_nodes.values()))
        resolver.publish()
    places = known.places | {
        key: (node.record_id, node.profile_id) for key, node in new_nodes.items() if node.profile_id
    }
    return resolver.outcome.tell(
        [record.key for record in records], places, new=new_nodes.keys(), steady=known.steady, turn=turn
    )


def _new_nodes(tx: Tx, new: Sequence[tuple[RecordKey, Features]], match: CompiledMatch) -> dict[RecordKey, Node]:
    if not new:
        return {}
    record_ids = store.draw_record_ids(tx, count=len(new))
    return {
        key: Node(record_id=record_id, key=key, profile_id=None, features=features, is_deleted=False, match=match)
        for record_id, (key, features) in zip(record_ids, new, strict=True)
    }


def _save_changed(
    tx: Tx, known: Known, facts: Mapping[RecordKey, Features], match: CompiledMatch
) -> tuple[set[int], Counter[Key]]:
    """Store changed features and the keys that differ; return the records that may link otherwise, count the keys left.

    A record is left alone when neither its keys nor what guards look at changed, or when nobody of another profile
    has one of its keys: it can gain no link then, and links it has are remembered whatever its values become. That is
    the common case: an edit makes a value that nobody else has.
    """
    outdated = [_outdated_node(each, facts[each.key], match) for each in known.outdated]
    rekeying = Rekeying(match)
    for each, node in zip(known.outdated, outdated, strict=True):
        rekeying.note_outdated(each.record_id, each.stored, node.keys)
        rekeying.found.saved.append((each.record_id, each.place, json_text(node.features)))
    rekeyed = rekeying.found
    rekeyed.add(known.rekeyed)
    store.update_records(tx, features=rekeyed.saved, match_hash=match.match_hash)
    store.drop_identifiers(tx, identifiers=rekeyed.gone)
    store.insert_identifiers(tx, identifiers=rekeyed.fresh)
    store.put_identifiers(tx, identifiers=identifiers_of(outdated, match))
    restless = store.find_restless(tx, keys=rekeyed.doubtful)
    return restless | {node.record_id for node in outdated}, Counter(key for _, key in rekeyed.vacated)


def _outdated_node(outdated: Outdated, features: Features, match: CompiledMatch) -> Node:
    return Node(
        record_id=outdated.record_id,
        key=outdated.key,
        profile_id=outdated.profile_id,
        features={**outdated.stored, **features},
        is_deleted=False,
        match=match,
    )


def identifiers_of(nodes: Iterable[Node], match: CompiledMatch) -> list[Identifier]:
    """Write all keys of records as they are stored; a deleted record has none."""
    return match.identifiers_of(
        (key, node.record_id)
        for node in nodes
        if not node.is_deleted
        for key in (*node.keys, *match.lookups_of(node.folded))
    )


def resolve_known(
    tx: Tx,
    *,
    keys: Sequence[RecordKey],
    seeds: Sequence[int],
    vacated: Mapping[Key, int],
    match: CompiledMatch,
    now: datetime,
    ids: Ids,
    cause: Cause | None = None,
) -> Resolution:
    """Settle records that are stored already, and answer for these keys, which must be known."""
    resolver = Resolver(tx, match=match, now=now, ids=ids)
    resolver.cause = cause or resolver.cause
    resolver.resolve(sorted(seeds), vacated=vacated)
    resolver.publish()
    rows = store.find_record_ids(tx, keys=keys)
    known = {keys[position - 1]: (record_id, profile_id) for position, record_id, profile_id in rows}
    return resolver.outcome.tell(keys, known, new=(), steady=known)
