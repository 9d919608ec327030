"""Explaining a link: what every rule and guard says of two records, and the chain of evidence that joins them."""

from collections.abc import Sequence
from typing import Final

from comity.definitions.types import Comparison
from comity.identity import reviews, store
from comity.identity.match import KEY_SEPARATOR, CompiledMatch, CompiledRule, values_agree
from comity.identity.rules import Edge, Node
from comity.identity.types import (
    Explanation,
    GuardFinding,
    Record,
    RecordKey,
    RecordUnknown,
    Review,
    ReviewKind,
    RuleFinding,
)
from comity.kernel.database import Tx

_VERDICTS: Final = {
    "accept": "links",
    "conflict": "refused: the records contradict each other",
    "no_agreement": "refused: too little else agrees",
}


def explain_link(tx: Tx, *, record_a: RecordKey, record_b: RecordKey, match: CompiledMatch) -> Explanation:
    """Explain why two records are, or are not, one person; see the door."""
    wanted = (record_a, record_b)
    found = {wanted[position - 1]: each for position, each, _ in store.find_record_ids(tx, keys=wanted)}
    for key in wanted:
        if key not in found:
            raise RecordUnknown(f"Unknown record: {key.system}/{key.stream}/{key.external_id}.")
    a, b = found[record_a], found[record_b]
    records = {record.record_id: record for record in store.list_records_by_id(tx, record_ids=[a, b])}
    nodes = {node.record_id: node for node in store.list_nodes(tx, record_ids=[a, b], match=match)}
    findings = _rule_findings(tx, nodes[a], nodes[b], match)
    is_same = records[a].profile_id == records[b].profile_id
    edges = _edges_of_profile(tx, records[a]) if is_same else []
    remembered = tuple(
        f"{edge.rule}: {_readable(edge.value)}" for edge in edges if {edge.record_a, edge.record_b} == {a, b}
    )
    decision = store.find_decision(tx, record_a=a, record_b=b)
    told = None if decision is None else f"{'same' if decision[0] else 'different'} ({decision[1]}): {decision[2]}"
    path = _path(edges, a, b)
    return Explanation(
        record_a=records[a],
        record_b=records[b],
        is_same=is_same,
        rules=findings,
        remembered=remembered,
        decision=told,
        path=path,
        summary=_summary(is_same=is_same, findings=findings, told=told, path=path, remembered=remembered),
    )


def list_reviews(tx: Tx, *, after: int, limit: int) -> list[Review]:
    """List what waits for a steward; see the door."""
    rows = reviews.list_reviews(tx, after=after, limit=limit)
    wanted = {record_id for *_, record_a, record_b, _, _ in rows for record_id in (record_a, record_b)}
    known = {record.record_id: record for record in store.list_records_by_id(tx, record_ids=sorted(wanted))}
    return [
        Review(
            review_id=review_id,
            kind=ReviewKind(kind),
            rule=rule,
            value=_readable(value),
            records=tuple(known[each] for each in dict.fromkeys((record_a, record_b)) if each in known),
            detail=detail,
            opened_at=opened_at,
        )
        for review_id, kind, rule, value, record_a, record_b, detail, opened_at in rows
    ]


def _rule_findings(tx: Tx, node_a: Node, node_b: Node, match: CompiledMatch) -> tuple[RuleFinding, ...]:
    keys_a, keys_b = dict(node_a.keys), dict(node_b.keys)
    shared = [(name, value) for name, value in node_a.keys if keys_b.get(name) == value]
    limits = [match.rule_by_name[name].records_max + 1 for name, _ in shared]
    members = store.list_members(tx, keys=shared, match=match, limits=limits) if shared else {}
    return tuple(
        _rule_finding(
            rule,
            node_a,
            node_b,
            key_a=keys_a.get(rule.name),
            key_b=keys_b.get(rule.name),
            shared_by=len(members.get((rule.name, keys_a.get(rule.name, "")), ())),
        )
        for rule in match.rules
    )


def _rule_finding(
    rule: CompiledRule, node_a: Node, node_b: Node, *, key_a: str | None, key_b: str | None, shared_by: int
) -> RuleFinding:
    guards = (
        *_guard_findings("agree", rule.agree.comparisons if rule.agree else (), node_a, node_b),
        *_guard_findings("conflict", rule.conflict.comparisons if rule.conflict else (), node_a, node_b),
    )
    is_equal = key_a is not None and key_a == key_b
    if not is_equal:
        verdict = "silent: the keys differ" if key_a and key_b else "silent: a value of the key is missing"
    elif shared_by > rule.records_max:
        verdict = f"refused: more than {rule.records_max} records share the value"
    else:
        verdict = _VERDICTS[rule.judge(node_a.folded, node_b.folded)]
    return RuleFinding(
        rule=rule.name,
        key_a=None if key_a is None else _readable(key_a),
        key_b=None if key_b is None else _readable(key_b),
        is_equal=is_equal,
        shared_by=shared_by,
        guards=guards,
        verdict=verdict,
    )


def _guard_findings(
    guard: str, comparisons: Sequence[Comparison], node_a: Node, node_b: Node
) -> tuple[GuardFinding, ...]:
    findings: list[GuardFinding] = []
    for each in comparisons:
        value_a, value_b = node_a.folded.get(each.attribute), node_b.folded.get(each.attribute)
        if not value_a or not value_b:
            outcome = "missing"
        else:
            outcome = "agree" if values_agree(each, value_a, value_b) else "differ"
        findings.append(
            GuardFinding(
                guard=guard, attribute=each.attribute, value_a=value_a or None, value_b=value_b or None, outcome=outcome
            )
        )
    return tuple(findings)


def _edges_of_profile(tx: Tx, record: Record) -> list[Edge]:
    record_ids = [each.record_id for each in store.list_records(tx, profile_ids=[record.profile_id])]
    decided = [
        Edge(each.record_a, each.record_b, "decided", "")
        for each in store.list_decisions(tx, record_ids=record_ids)
        if each.is_same
    ]
    return [*store.list_edges(tx, record_ids=record_ids), *decided]


def _path(edges: Sequence[Edge], start: int, end: int) -> tuple[tuple[int, int, str], ...]:
    """Find the shortest chain of links between two records."""
    neighbours: dict[int, list[tuple[int, str]]] = {}
    for edge in sorted(edges):
        neighbours.setdefault(edge.record_a, []).append((edge.record_b, edge.rule))
        neighbours.setdefault(edge.record_b, []).append((edge.record_a, edge.rule))
    came_from: dict[int, tuple[int, str]] = {start: (start, "")}
    frontier = [start]
    while frontier and end not in came_from:
        reached: list[int] = []
        for record_id in frontier:
            for other, rule in neighbours.get(record_id, ()):
                if other not in came_from:
                    came_from[other] = (record_id, rule)
                    reached.append(other)
        frontier = reached
    if end not in came_from or start == end:
        return ()
    steps: list[tuple[int, int, str]] = []
    at = end
    while at != start:
        before, rule = came_from[at]
        steps.append((before, at, rule))
        at = before
    return tuple(reversed(steps))


def _summary(
    *,
    is_same: bool,
    findings: Sequence[RuleFinding],
    told: str | None,
    path: Sequence[tuple[int, int, str]],
    remembered: Sequence[str],
) -> str:
    if told is not None:
        return f"One person: {told}." if is_same else f"Different people: {told}."
    linking = [finding.rule for finding in findings if finding.verdict == "links"]
    if is_same and linking:
        return f"One person: linked by {', '.join(linking)}."
    if is_same and remembered:
        return f"One person: linked earlier by {'; '.join(remembered)}; the values have changed since."
    if is_same:
        return f"One person by way of {len(path) - 1} other record(s): {' -> '.join(step[2] for step in path)}."
    refused = [f"{finding.rule} {finding.verdict}" for finding in findings if finding.is_equal]
    if linking:
        return f"Different people although {', '.join(linking)} would link them: a limit or a decision stands between."
    return f"Different people: {'; '.join(refused)}." if refused else "Different people: no rule finds a common key."


def _readable(value: str) -> str:
    return value.replace(KEY_SEPARATOR, " + ")
