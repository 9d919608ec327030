"""Do all systems show the golden state? Asked of the systems themselves, through the connectors and mappings."""

from collections import Counter
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from comity import wiring
from comity.identity import api as identity
from comity.mapping import api as mapping
from comity.mapping.types import ABSENT
from comity.profile import api as profile
from comity.programme import api as programme
from comity.sync.desired import to_values
from tests.scenario.rehearsal import Rehearsal


@dataclass(frozen=True)
class Difference:
    """A field of a record that does not show the golden value; `is_only` when the person has no other record there."""

    system: str
    external_id: str
    profile_id: UUID
    attribute: str
    shown: Any
    wanted: Any
    is_only: bool

    def __str__(self) -> str:
        return f"{self.system}/{self.external_id} {self.attribute}: {self.shown!r} instead of {self.wanted!r}"


def find_differences(hub: wiring.Hub) -> list[Difference]:
    """List every field of every living record that does not show the golden value.

    An empty golden value is not written unless the mapping says that empty clears, and not over what nobody can read.
    """
    with hub.database.transaction() as tx:
        runtime = hub.runtimes.get(tx)
        profile_ids = [row[0] for row in tx.execute("select profile_id from profile.v_profile").fetchall()]
        golden = {row["profile_id"]: row for row in profile.get_profiles(tx, profile_ids=profile_ids)}
        members = programme.find_members(tx, profile_ids=profile_ids)
        records = [record for record in identity.list_records(tx, profile_ids=profile_ids) if not record.is_deleted]
    found: list[Difference] = []
    for (system, name), stream in runtime.streams.items():
        here = {each.external_id: each for each in records if (each.system, each.stream) == (system, name)}
        if not stream.writes or not here:
            continue
        crowds = Counter(record.profile_id for record in here.values())
        connector = hub.get_connector(system, runtime.systems[system])
        for change in connector.fetch(name, list(here), fields=stream.vendor_fields):
            record = here[change.external_id]
            told = {
                "system": system, "external_id": record.external_id, "profile_id": record.profile_id,
                "is_only": crowds[record.profile_id] == 1,
            }  # fmt: skip
            if change.kind.value != "upsert":
                found.append(Difference(**told, attribute="", shown=change.kind.value, wanted="living"))
                continue
            payload: dict[str, Any] = msgspec.json.decode(change.payload)
            shown = mapping.canonical_of_stored(stream.compiled, fields=payload)
            wanted = to_values(golden[record.profile_id], next(iter(members.get(record.profile_id, [])), None))
            for field in stream.spec.person_fields:
                value, held = wanted.get(field.attribute), shown.get(field.attribute, ABSENT)
                is_unreadable = held is ABSENT and payload.get(field.field) not in (None, "")
                is_wanted = value is not None or (field.clears and not is_unreadable)
                if field.direction.is_written and held != value and is_wanted:
                    found.append(Difference(**told, attribute=field.attribute, shown=held, wanted=value))
    return found


def find_undecided(hub: wiring.Hub) -> int:
    """Count the golden rows that come out otherwise when everything is decided anew: there should be none."""
    with hub.database.transaction() as tx:
        runtime = hub.runtimes.get(tx)
        result = profile.rebuild_all(tx, model=runtime.model, now=hub.clock.now())
    return result.changed_count + result.removed_count


def assert_converged(rehearsal: Rehearsal) -> None:
    """Every system shows the golden state, and that is what the observations add up to."""
    assert find_differences(rehearsal.hub) == []
    assert find_undecided(rehearsal.hub) == 0
