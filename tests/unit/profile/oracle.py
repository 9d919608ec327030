"""What a golden profile should be, in plain Python, one value at a time. Knows nothing of the SQL."""

from dataclasses import dataclass, field
from typing import Any

from comity.profile.types import ABSENT

MERGES = {
    "union": lambda values: sorted({tag for tags in values for tag in tags}),
    "max": max,
    "min": min,
    "all": all,
    "any": any,
}


@dataclass
class Opinion:
    """What a record says about one attribute: its value since when, and when it was last looked at."""

    value: Any = None
    since: Any = None
    looked_at: Any = None


@dataclass
class Record:
    """One record and what was written into it."""

    profile: Any
    key: tuple[str, str, str]
    opinions: dict[str, Opinion] = field(default_factory=dict)
    written: dict[str, Any] = field(default_factory=dict)
    written_at: Any = None


class World:
    """All records; takes versions one by one, in the order they arrive."""

    def __init__(self, attributes, groups):
        self.attributes = attributes
        self.groups = groups
        self.records = {}

    def say(self, record_id, profile, key, changed_at, values):
        """Take in one version of a record: judge every value by what was known before, then take over what is news."""
        record = self.records.setdefault(record_id, Record(profile, key))
        record.profile = profile
        verdicts = {
            name: self._judge(record, name, value, changed_at) for name, value in values.items() if value is not ABSENT
        }
        for name, verdict in verdicts.items():
            opinion = record.opinions.setdefault(name, Opinion())
            if verdict == "new" or (verdict == "echo" and self._is_beside_news(name, verdicts)):
                opinion.value, opinion.since, opinion.looked_at = values[name], changed_at, changed_at
                if record.written_at is not None and changed_at >= record.written_at:
                    record.written.pop(name, None)
            elif verdict == "filled":
                opinion.since = opinion.looked_at
            elif verdict == "seen":
                opinion.looked_at = changed_at

    def _is_beside_news(self, name, verdicts):
        """Somebody changed another attribute of its group and kept what was written: the group is theirs."""
        beside = {member for members in self.groups.values() if name in members for member in members} - {name}
        return any(verdicts.get(member) == "new" for member in beside)

    @staticmethod
    def _judge(record, name, value, at):
        opinion = record.opinions.get(name, Opinion())
        if name in record.written and record.written[name] == value:
            return "echo"
        if opinion.looked_at is not None and at < opinion.looked_at:
            return "filled" if value is not None and opinion.since is None else "late"
        if value != opinion.value:
            return "new"
        is_news = opinion.looked_at is None or at > opinion.looked_at
        if name in record.written and at >= record.written_at and is_news:
            return "new"
        return "seen"

    def write(self, record_id, values, now):
        """Note what was written into a record."""
        if record_id in self.records:
            record = self.records[record_id]
            record.written |= values
            record.written_at = now

    def profiles(self):
        """Return all profiles that have records."""
        return {record.profile for record in self.records.values()}

    def golden(self, profile, rules, default):
        """Decide a profile; rules are (names, kind, systems, merge, condition) with a Python condition."""
        records = sorted((r for r in self.records.values() if r.profile == profile), key=lambda r: r.key)
        units = [[name] for name in self.attributes if name not in {m for g in self.groups.values() for m in g}]
        units += self.groups.values()
        names = {tuple(members): group for group, members in self.groups.items()}
        golden = {}
        for is_conditional in (False, True):
            for members in units:
                entries = [rule for rule in rules if names.get(tuple(members), members[0]) in rule[0]]
                if any(rule[4] for rule in entries) is is_conditional:
                    first = dict(golden)
                    entry = next((rule for rule in entries if rule[4] is None or rule[4](first)), default)
                    golden |= decide(records, members, entry)
        return golden


def decide(records, members, entry):
    """Decide one unit by one rule."""
    _, kind, systems, merge, _ = entry

    def since(record):
        return max((o.since for m in members if (o := record.opinions.get(m)) and o.since), default=None)

    def value(record, member):
        return record.opinions[member].value if member in record.opinions else None

    def rank(record):
        return systems.index(record.key[0]) if record.key[0] in systems else len(systems)

    candidates = [record for record in records if since(record) is not None]
    if systems and kind != "system_of_record":
        candidates = [record for record in candidates if record.key[0] in systems]
    if kind == "merge":
        candidates = [record for record in candidates if value(record, members[0]) is not None]
        values = [value(record, members[0]) for record in candidates]
        if values and merge != "longest":
            return {members[0]: MERGES[merge](values)}
        candidates = [each for each in candidates if len(value(each, members[0])) == max(map(len, values))]
    if not candidates:
        return dict.fromkeys(members)
    if kind == "system_of_record":
        lead = min(map(rank, candidates))
        candidates = [record for record in candidates if rank(record) == lead]
    latest = max(map(since, candidates))
    candidates = [record for record in candidates if since(record) == latest]
    winner = min(candidates, key=lambda record: (rank(record) if kind != "merge" else 0, record.key))
    return {member: value(winner, member) for member in members}
