"""Loading everything that can bear on a set of records: the closed neighbourhood over keys, links and decisions."""

from collections.abc import Iterable, Mapping
from typing import Final

from comity.identity import reviews, store
from comity.identity.match import CompiledMatch, Key
from comity.identity.reviews import Doubt
from comity.identity.rules import Decision, Edge, Node, holds_still
from comity.kernel.database import Tx

CLOSURE_RECORDS_MAX: Final = 20_000
"""More records than this at once are not one neighbourhood but bad keys."""


class ClosureTooLarge(Exception):
    """The neighbourhood has more records than can be looked at together."""


class Closure:
    """The neighbourhood of some records, closed: nothing outside can change what becomes of those inside.

    `nodes` are the records inside; `edges` the links that may hold, new and remembered; `remembered` what is stored,
    to see what must be forgotten; `doubts` the links guards refused; `overshared` the key values shared by too many;
    `cleared` those that were and are no more.
    """

    def __init__(self, tx: Tx, *, match: CompiledMatch, pending: dict[int, Node]) -> None:
        """Start empty; `pending` are new records that are not in the table yet."""
        self._tx = tx
        self._match = match
        self._facts: dict[int, Node] = dict(pending)
        self._pending = pending
        self._members: dict[Key, list[int]] = {}
        self._asked: set[Key] = set()
        self._candidates: dict[tuple[int, int], Edge] = {}
        self._judged: set[tuple[int, int, str]] = set()
        self.nodes: dict[int, Node] = {}
        self.remembered: dict[tuple[int, int], Edge] = {}
        self.decisions: dict[tuple[int, int], Decision] = {}
        self.doubts: set[Doubt] = set()
        self.overshared: set[Key] = set()
        self.cleared: list[Key] = []

    def load(self, seeds: Iterable[int], *, vacated: Mapping[Key, int]) -> None:
        """Take in records and all that is connected with them.

        `vacated` counts the records that have just left a key value: when that makes the value rare enough to link
        by, the records that still have it are taken in too. Raises ClosureTooLarge.
        """
        frontier = set(seeds)
        crowded = reviews.find_shared_values(self._tx, keys=list(vacated)) if vacated else []
        self._ask(crowded)
        for key in crowded:
            count = vacated[key]
            members = self._members.get(key, ())
            if key not in self.overshared and len(members) <= self._limit(key) < len(members) + count:
                frontier.update(members)
                self.cleared.append(key)
        while frontier:
            if len(self.nodes) + len(frontier) > CLOSURE_RECORDS_MAX:
                raise ClosureTooLarge
            frontier = self._take_in(frontier)

    @property
    def edges(self) -> list[Edge]:
        """All links that may hold: those found now, and those remembered that still stand."""
        standing = (
            edge
            for edge in self.remembered.values()
            if edge.record_a in self.nodes
            and edge.record_b in self.nodes
            and holds_still(
                edge,
                node_a=self.nodes[edge.record_a],
                node_b=self.nodes[edge.record_b],
                match=self._match,
                overshared=self.overshared,
            )
        )
        return list(dict.fromkeys((*self._candidates.values(), *standing)))

    def members(self, key: Key) -> int:
        """Count the records that have a key value, up to one more than may be linked by it."""
        return max(1, len(self._members.get(key, ())))

    def _limit(self, key: Key) -> int:
        rule = self._match.rule_by_name.get(key[0])
        return rule.records_max if rule else 0

    def _ask(self, keys: Iterable[Key]) -> set[Key]:
        """Learn who has these key values; return those that turn out to be shared by too many."""
        fresh = [key for key in dict.fromkeys(keys) if key not in self._asked and self._limit(key)]
        if not fresh:
            return set()
        self._asked.update(fresh)
        limits = [self._limit(key) + 1 for key in fresh]
        found = store.list_members(self._tx, keys=fresh, match=self._match, limits=limits)
        self._members.update(found)
        crowded = {key for key, members in found.items() if len(members) > self._limit(key)}
        self.overshared |= crowded
        return crowded

    def _take_in(self, frontier: set[int]) -> set[int]:
        """Take in some records; return those connected with them that are not inside yet."""
        self._load_facts(frontier)
        inside = [self._facts[record_id] for record_id in sorted(frontier) if record_id in self._facts]
        self.nodes.update((node.record_id, node) for node in inside)
        reached: set[int] = set()
        stored = [node.record_id for node in inside if node.record_id not in self._pending]
        evidence: set[Key] = set()
        if stored:
            for edge in store.list_edges(self._tx, record_ids=stored):
                self._remember(edge, reached)
                evidence.add((edge.rule, edge.value))
            for decision in store.list_decisions(self._tx, record_ids=stored):
                self.decisions[decision.record_a, decision.record_b] = decision
                if decision.is_same:
                    reached.update((decision.record_a, decision.record_b))
        crowded = self._ask([*(key for node in inside for key in node.keys), *sorted(evidence)])
        if crowded:
            self.doubts.update(Doubt("shared_value", rule, value) for rule, value in crowded)
            for edge in store.list_edges_by_evidence(self._tx, keys=sorted(crowded)):
                self._remember(edge, reached)
        self._judge(inside, reached)
        return reached - self.nodes.keys()

    def _remember(self, edge: Edge, reached: set[int]) -> None:
        self.remembered[edge.record_a, edge.record_b] = edge
        reached.update((edge.record_a, edge.record_b))

    def _load_facts(self, record_ids: Iterable[int]) -> None:
        unknown = sorted(record_id for record_id in record_ids if record_id not in self._facts)
        if unknown:
            for node in store.list_nodes(self._tx, record_ids=unknown, match=self._match):
                self._facts[node.record_id] = node

    def _judge(self, inside: list[Node], reached: set[int]) -> None:
        shared = [
            (node, key, members)
            for node in inside
            for key in node.keys
            if key not in self.overshared and (members := self._members.get(key))
        ]
        self._load_facts({record_id for _, _, members in shared for record_id in members})
        for node, (rule_name, value), members in shared:
            rule = self._match.rule_by_name[rule_name]
            mine = node.record_id
            for other_id in members:
                other = self._facts[other_id]
                if other_id == mine or (rule_name, value) not in other.keys:
                    continue
                pair = (mine, other_id) if mine < other_id else (other_id, mine)
                # Keys come strongest first, so of several links between two records the first is the strongest.
                if pair in self._candidates or (*pair, rule_name) in self._judged:
                    continue
                self._judged.add((*pair, rule_name))
                verdict = rule.judge(node.folded, other.folded)
                if verdict == "accept":
                    self._candidates[pair] = Edge(*pair, rule_name, value, self._match.match_hash)
                    reached.add(other_id)
                elif verdict == "conflict":
                    self.doubts.add(Doubt("conflict", rule_name, value, *pair))
