"""The decisions of identity, pure: which links hold, which records are one person, which Global ID each person has."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

from msgspec import Struct

from comity.identity.match import CompiledMatch, Key
from comity.mapping.types import RecordKey

Joined = Literal["now", "before", "refused"]


class Placed(Protocol):
    """What clustering needs to know of a record: its key, and whether it is still there."""

    @property
    def key(self) -> RecordKey:
        """The key of the record."""
        ...

    @property
    def is_deleted(self) -> bool:
        """True when the record is gone at its source."""
        ...


class Place(Struct, frozen=True):
    """A record of which nothing else matters."""

    key: RecordKey
    is_deleted: bool = False


class Node:
    """A record on the table: what is stored of it, and what matching makes of that."""

    __slots__ = ("features", "folded", "is_deleted", "key", "keys", "profile_id", "record_id")

    def __init__(
        self,
        *,
        record_id: int,
        key: RecordKey,
        profile_id: UUID | None,
        features: Mapping[str, str | None],
        is_deleted: bool,
        match: CompiledMatch,
    ) -> None:
        """Fold the features and make the keys; a deleted record has none."""
        self.record_id = record_id
        self.key = key
        self.profile_id = profile_id
        self.features = features
        self.is_deleted = is_deleted
        self.folded: dict[str, str] = match.folded(features)
        self.keys: tuple[Key, ...] = () if is_deleted else match.keys_of(self.folded)


class Edge(Struct, frozen=True, order=True):
    """A link between two records, record_a < record_b, made by a rule from a shared key value."""

    record_a: int
    record_b: int
    rule: str
    value: str
    match_hash: int = 0


class Decision(Struct, frozen=True):
    """What a steward or a vendor said of two records, record_a < record_b."""

    record_a: int
    record_b: int
    is_same: bool


class Partition(Struct, frozen=True):
    """Clusters of record ids, each sorted; the links that join them; those refused for cardinality or a decision.

    A link between records that stronger links have joined already is neither: nothing depends on it.
    """

    clusters: list[list[int]]
    joining: list[Edge]
    refused: list[Edge]


class Profile(Struct, frozen=True):
    """A Global ID as stored."""

    profile_id: UUID
    founder_record_id: int
    merged_into: UUID | None
    created_at: datetime


class Assignment(Struct, frozen=True):
    """Who is who: the Global ID of each cluster (None: to be minted), and the aliases that change."""

    profile_of_cluster: list[UUID | None]
    merged_into: dict[UUID, UUID | None]


class Clusters:
    """Disjoint sets that know how many living records of each system they hold and whom they must not meet."""

    def __init__(self, nodes: Mapping[int, Placed], *, per_system_max: int | None, apart: Iterable[Decision]) -> None:
        """Start with every record alone."""
        self._parent = {record_id: record_id for record_id in nodes}
        self._size = dict.fromkeys(nodes, 1)
        self._per_system_max = per_system_max
        self._systems: dict[int, dict[str, int]] = (
            {}
            if per_system_max is None
            else {record_id: {} if node.is_deleted else {node.key.system: 1} for record_id, node in nodes.items()}
        )
        self._enemies: dict[int, set[int]] = {}
        for decision in apart:
            if decision.record_a in nodes and decision.record_b in nodes:
                self._enemies.setdefault(decision.record_a, set()).add(decision.record_b)
                self._enemies.setdefault(decision.record_b, set()).add(decision.record_a)

    def find(self, record_id: int) -> int:
        """Find the representative of a record's set."""
        parent = self._parent
        while parent[record_id] != record_id:
            parent[record_id] = parent[parent[record_id]]
            record_id = parent[record_id]
        return record_id

    def join(self, record_a: int, record_b: int, *, is_forced: bool = False) -> Joined:
        """Unite two sets where that is allowed. Force overrides the cardinality, never a decision."""
        a, b = self.find(record_a), self.find(record_b)
        if a == b:
            return "before"
        if self._are_enemies(a, b):
            return "refused"
        if self._per_system_max is not None and not is_forced and self._are_too_many(a, b):
            return "refused"
        if self._size[a] < self._size[b]:
            a, b = b, a
        self._parent[b] = a
        self._size[a] += self._size[b]
        if self._per_system_max is not None:
            counts = self._systems[a]
            for system, count in self._systems.pop(b).items():
                counts[system] = counts.get(system, 0) + count
        if b in self._enemies:
            self._enemies.setdefault(a, set()).update(self._enemies.pop(b))
        return "now"

    def clusters(self) -> list[list[int]]:
        """List the sets, each sorted, in the order of their first record."""
        found: dict[int, list[int]] = {}
        for record_id in sorted(self._parent):
            found.setdefault(self.find(record_id), []).append(record_id)
        return list(found.values())

    def _are_enemies(self, a: int, b: int) -> bool:
        if not self._enemies:
            return False
        return any(self.find(each) == b for each in self._enemies.get(a, ())) or any(
            self.find(each) == a for each in self._enemies.get(b, ())
        )

    def _are_too_many(self, a: int, b: int) -> bool:
        limit = self._per_system_max or 0
        counts, others = self._systems[a], self._systems[b]
        return any(counts.get(system, 0) + count > limit for system, count in others.items() if system in counts)


def order_edges(edges: Iterable[Edge], *, nodes: Mapping[int, Placed], match: CompiledMatch) -> list[Edge]:
    """Sort links by the strength of their rule, then by the keys of their records, so that arrival decides nothing."""

    def rank(edge: Edge) -> tuple[int, RecordKey, RecordKey]:
        a, b = nodes[edge.record_a].key, nodes[edge.record_b].key
        return (match.rule_by_name[edge.rule].priority, *((a, b) if a < b else (b, a)))

    return sorted(edges, key=rank)


def partition(
    nodes: Mapping[int, Placed], *, edges: Iterable[Edge], decisions: Sequence[Decision], match: CompiledMatch
) -> Partition:
    """Cluster records: first what people decided, then links from the strongest rule down, as far as allowed."""
    sets = Clusters(nodes, per_system_max=match.per_system_max, apart=(each for each in decisions if not each.is_same))
    forced = [each for each in decisions if each.is_same and each.record_a in nodes and each.record_b in nodes]
    for decision in sorted(forced, key=lambda each: sorted((nodes[each.record_a].key, nodes[each.record_b].key))):
        sets.join(decision.record_a, decision.record_b, is_forced=True)
    found: dict[Joined, list[Edge]] = {"now": [], "before": [], "refused": []}
    for edge in order_edges(edges, nodes=nodes, match=match):
        found[sets.join(edge.record_a, edge.record_b)].append(edge)
    return Partition(clusters=sets.clusters(), joining=found["now"], refused=found["refused"])


def holds_still(
    edge: Edge, *, node_a: Node, node_b: Node, match: CompiledMatch, overshared: frozenset[Key] | set[Key]
) -> bool:
    """Tell whether a remembered link holds.

    It outlives later changes of the values it was made from. It falls when its rule is gone, when its value turns out
    to be shared by too many, or when other rules, applied to the same evidence, say no.
    """
    rule = match.rule_by_name.get(edge.rule)
    if rule is None or (edge.rule, edge.value) in overshared:
        return False
    if edge.match_hash == match.match_hash:
        return True
    is_standing = (edge.rule, edge.value) in node_a.keys and (edge.rule, edge.value) in node_b.keys
    return not is_standing or rule.judge(node_a.folded, node_b.folded) == "accept"


def assign(clusters: Sequence[Sequence[int]], *, profiles: Sequence[Profile]) -> Assignment:
    """Give every cluster its Global ID.

    A Global ID stays with the cluster that holds its founding record, aliases included, so what was merged and is
    separated again gets its own id back. Of several ids in one cluster the oldest survives. A cluster without one
    has None and needs a new one.
    """
    cluster_of = {record_id: at for at, cluster in enumerate(clusters) for record_id in cluster}
    claims: list[list[Profile]] = [[] for _ in clusters]
    for profile in profiles:
        at = cluster_of.get(profile.founder_record_id)
        if at is not None:
            claims[at].append(profile)
    survivors: list[UUID | None] = []
    merged_into: dict[UUID, UUID | None] = {}
    for found in claims:
        found.sort(key=lambda profile: (profile.created_at, profile.profile_id))
        survivor = found[0].profile_id if found else None
        survivors.append(survivor)
        for profile in found:
            target = None if profile.profile_id == survivor else survivor
            if profile.merged_into != target:
                merged_into[profile.profile_id] = target
    return Assignment(profile_of_cluster=survivors, merged_into=merged_into)


def brought_by(joining: Sequence[Edge]) -> dict[int, str]:
    """Say for each linked record which rule linked it first."""
    rules: dict[int, str] = {}
    for edge in joining:
        rules.setdefault(edge.record_a, edge.rule)
        rules.setdefault(edge.record_b, edge.rule)
    return rules
