"""Do all systems show the golden state? Asked of the systems themselves, through the connectors and mappings."""

from collections.abc import Sequence
from typing import Any

import msgspec

from comity import wiring
from comity.identity import api as identity
from comity.mapping import api as mapping
from comity.mapping.types import ABSENT
from comity.profile import api as profile
from comity.programme import api as programme
from comity.sync.desired import to_values
from tests.scenario.rehearsal import Rehearsal


def find_differences(hub: wiring.Hub, *, forms: Sequence[str] = ()) -> list[str]:
    """List every field of every living record that does not show the golden value.

    An empty golden value is not written unless the mapping says that empty clears. `forms` names attributes that a
    system keeps in a form of its own.
    """
    with hub.database.transaction() as tx:
        runtime = hub.runtimes.get(tx)
        profile_ids = [row[0] for row in tx.execute("select profile_id from profile.v_profile").fetchall()]
        golden = {row["profile_id"]: row for row in profile.get_profiles(tx, profile_ids=profile_ids)}
        members = programme.find_members(tx, profile_ids=profile_ids)
        records = [record for record in identity.list_records(tx, profile_ids=profile_ids) if not record.is_deleted]
    found: list[str] = []
    for (system, name), stream in runtime.streams.items():
        here = {each.external_id: each for each in records if (each.system, each.stream) == (system, name)}
        if not stream.writes or not here:
            continue
        connector = hub.get_connector(system, runtime.systems[system])
        for change in connector.fetch(name, list(here), fields=stream.vendor_fields):
            record = here[change.external_id]
            if change.kind.value != "upsert":
                found.append(f"{system}/{change.external_id} is {change.kind.value} there, but living here")
                continue
            payload: dict[str, Any] = msgspec.json.decode(change.payload)
            shown = mapping.canonical_of_stored(stream.compiled, fields=payload)
            row = golden[record.profile_id]
            wanted = to_values(row, next(iter(members.get(record.profile_id, [])), None))
            for field in stream.spec.person_fields:
                value = wanted.get(field.attribute)
                if not field.direction.is_written or field.attribute in forms or (value is None and not field.clears):
                    continue
                if shown.get(field.attribute, ABSENT) != value:
                    held = shown.get(field.attribute)
                    found.append(f"{system}/{change.external_id} {field.attribute}: {held!r} instead of {value!r}")
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
