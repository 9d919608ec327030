"""From what the decision saw to words: why this record won and the others did not. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from comity.definitions.types import AttributeType, MergeKind, RuleKind
from comity.profile.types import Attribute, Candidate, ConditionResult, Entry, Explanation, Reason, Unit

_SENTENCES = {
    Reason.WON: "Its value is the golden one.",
    Reason.CONTRIBUTED: "Its value is part of the golden one.",
    Reason.OLDER: "Its value is older than that of {winner}.",
    Reason.LOWER_SYSTEM: "{winner} comes before {system} in the order of the rule.",
    Reason.LOST_TIE: "As good as {winner}, which comes first by system, stream and external id.",
    Reason.NOT_LISTED: "The rule leaves {system} out.",
    Reason.NEVER_SAID: "It never had a value.",
    Reason.NO_VALUE: "Its value was cleared, so there is nothing to merge.",
    Reason.LESSER: "{winner} has the better value by the rule.",
}


class _Said(msgspec.Struct, frozen=True, kw_only=True):
    record_id: int
    system: str
    stream: str
    external_id: str
    value: Any
    changed_at: datetime | None


def explain(
    row: Sequence[Any], *, profile_id: UUID, attribute: Attribute, unit: Unit, rules_version: int
) -> Explanation:
    """Read the row of the compiled explanation; see `decide_sql.explain`."""
    records, systems, streams, external_ids, times, values, winners, held, value, stored = row
    said = [
        _Said(record_id=record_id, system=system, stream=stream, external_id=external_id, changed_at=time, value=each)
        for record_id, system, stream, external_id, time, each in zip(
            records, systems, streams, external_ids, times, _values(attribute, values), strict=True
        )
    ]
    place = next(number for number, is_held in enumerate(held) if is_held)
    entry = unit.entries[place]
    winner = next((each for each in said if each.record_id == winners[place]), None)
    candidates = [_judged(each, winner, entry) for each in said]
    return Explanation(
        profile_id=profile_id,
        attribute=attribute.name,
        value=value,
        is_current=value == stored,
        winner=next((each for each in candidates if each.reason is Reason.WON), None),
        contributors=tuple(each for each in candidates if each.reason in {Reason.WON, Reason.CONTRIBUTED}),
        losers=tuple(each for each in candidates if each.reason not in {Reason.WON, Reason.CONTRIBUTED}),
        rule=entry.rule,
        rule_text=entry.text,
        rule_index=entry.index,
        rules_version=rules_version,
        conditions=tuple(
            ConditionResult(index=each.index or 0, when=each.when, is_true=is_held)
            for each, is_held in zip(unit.entries, held, strict=True)
            if each.when is not None
        ),
    )


def _values(attribute: Attribute, values: Sequence[Any]) -> Sequence[Any]:
    return values if attribute.type is not AttributeType.TAGS else [_tags(each) for each in values]


def _tags(text: str | None) -> list[str] | None:
    """Read an array as PostgreSQL writes it: elements bare or in double quotes."""
    if text is None:
        return None
    tags: list[str] = []
    element, is_quoted, is_escaped = "", False, False
    for letter in text[1:-1]:
        if is_escaped:
            element, is_escaped = element + letter, False
        elif letter == "\\":
            is_escaped = True
        elif letter == '"':
            is_quoted = not is_quoted
        elif letter == "," and not is_quoted:
            tags.append(element)
            element = ""
        else:
            element += letter
    return [*tags, element] if text != "{}" else []


def _judged(said: _Said, winner: _Said | None, entry: Entry) -> Candidate:
    reason = _reason(said, winner, entry)
    named = f"{winner.system} {winner.external_id}" if winner else ""
    return Candidate(
        record_id=said.record_id,
        system=said.system,
        stream=said.stream,
        external_id=said.external_id,
        value=said.value,
        changed_at=said.changed_at,
        is_cleared=said.value is None and said.changed_at is not None,
        reason=reason,
        sentence=_SENTENCES[reason].format(winner=named, system=said.system),
    )


def _reason(said: _Said, winner: _Said | None, entry: Entry) -> Reason:
    if said.changed_at is None:
        return Reason.NEVER_SAID
    if entry.systems and entry.rule is not RuleKind.SYSTEM_OF_RECORD and said.system not in entry.systems:
        return Reason.NOT_LISTED
    if entry.rule is RuleKind.MERGE and said.value is None:
        return Reason.NO_VALUE
    if winner is None or said is winner:
        return Reason.CONTRIBUTED if winner is None else Reason.WON
    differences = (reason for reason, own, best in _comparisons(said, winner, entry) if own != best)
    return next(differences, Reason.LOST_TIE)


def _comparisons(said: _Said, winner: _Said, entry: Entry) -> list[tuple[Reason, Any, Any]]:
    """List what decides, in its order: the first difference is the reason."""
    age = (Reason.OLDER, said.changed_at, winner.changed_at)
    rank = (Reason.LOWER_SYSTEM, _rank(said, entry), _rank(winner, entry))
    if entry.rule is RuleKind.SYSTEM_OF_RECORD:
        return [rank, age]
    if entry.rule is RuleKind.MOST_RECENT:
        return [age, rank]
    if entry.merge is MergeKind.LONGEST:
        return [(Reason.LESSER, len(said.value), len(winner.value)), age]
    return [(Reason.LESSER, said.value, winner.value), age]


def _rank(said: _Said, entry: Entry) -> int:
    return entry.systems.index(said.system) if said.system in entry.systems else len(entry.systems)
