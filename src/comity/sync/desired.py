"""Desired state: what each person's records in one system should show."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from comity.identity import api as identity
from comity.identity.types import Record
from comity.kernel.database import Tx
from comity.mapping import api as mapping
from comity.mapping.types import Problem
from comity.outbox import api as outbox
from comity.outbox.types import Base, Claim
from comity.profile import api as profile
from comity.programme import api as programme
from comity.programme.types import Member
from comity.sync.first_read import list_unsettled
from comity.sync.runtime import CREATE_NEVER, Runtime, StreamMapping
from comity.sync.ticks import Ticks

CREATE_ALWAYS = "always"


class Item(msgspec.Struct, kw_only=True):
    """One record of one person to be brought up to date in one stream; without a record it is to be created.

    `waits` has the ticks of fields that are not written before; what is created is written whole.
    """

    key: str
    claim: Claim
    stream: StreamMapping
    record: Record | None
    base: Base | None
    canonical: dict[str, Any]
    desired: dict[str, Any]
    candidates: dict[str, Any]
    waits: dict[str, datetime] = {}
    problems: tuple[Problem, ...] = ()
    siblings: frozenset[str] = frozenset()
    theirs: dict[str, Any] = {}
    held: dict[str, Any] = {}
    writes: dict[str, Any] = {}
    left: dict[str, Any] = {}
    agreed: dict[str, Any] = {}

    @property
    def is_held(self) -> bool:
        """True when all that differs waits for its tick, so that there is nothing to be compared yet."""
        is_doubted = self.base is not None and self.base.is_doubted
        return bool(self.waits) and not is_doubted and self.candidates.keys() <= self.waits.keys()

    @property
    def match_field(self) -> str | None:
        """The field of the system that holds our Global ID, if the mapping writes one."""
        return next((f.field for f in self.stream.spec.person_fields if f.attribute == "global_id"), None)


def load_items(tx: Tx, *, system: str, claims: Sequence[Claim], runtime: Runtime, now: datetime) -> list[Item]:
    """Return what is to be compared for these claims; people who are up to date, or no more, have no item.

    An item without candidates is there for its problems alone: a value that the system has no form for.
    """
    profile_ids = [claim.profile_id for claim in claims]
    golden = {row["profile_id"]: row for row in profile.get_profiles(tx, profile_ids=profile_ids)}
    members = _list_members(tx, profile_ids=profile_ids, runtime=runtime, now=now)
    known = [record for record in identity.list_records(tx, profile_ids=list(golden)) if record.system == system]
    records = [record for record in known if not record.is_deleted]
    # Whoever deleted a person's record there does not want it back from us.
    deleted = {(record.profile_id, record.stream) for record in known if record.is_deleted}
    bases = outbox.get_bases(tx, record_ids=[record.record_id for record in records])
    by_place: dict[tuple[UUID, str], list[Record]] = {}
    for record in records:
        by_place.setdefault((record.profile_id, record.stream), []).append(record)
    spec = runtime.systems.get(system)
    may_create = _list_creatable(
        tx, golden, policy=spec.deliver.create if spec else CREATE_NEVER, runtime=runtime, now=now
    )
    unsettled = list_unsettled(tx, system=system, runtime=runtime)
    items: list[Item] = []
    for stream in runtime.written_streams(system):
        ticks = Ticks(stream.write_cadences, now=now)
        present = [claim for claim in claims if claim.profile_id in golden]
        rows = [to_values(golden[claim.profile_id], members.get(claim.profile_id)) for claim in present]
        for claim, values, written in zip(
            present, rows, mapping.write_records(stream.compiled, rows=rows), strict=True
        ):
            desired = _without_silent_clears(stream, values, written.fields)
            place = (claim.profile_id, stream.spec.stream)
            found = by_place.get(place, [])
            is_created = claim.profile_id in may_create and place not in deleted and place[1] not in unsettled
            targets: Sequence[Record | None] = found or ([None] if is_created else [])
            for record in targets:
                base = bases.get(record.record_id) if record else None
                candidates = outbox.plan_candidates(desired, base)
                waits = ticks.find_waits(candidates, since=claim.waiting_since) if record else {}
                if candidates or written.problems:
                    items.append(
                        Item(
                            key=str(len(items)),
                            claim=claim,
                            stream=stream,
                            record=record,
                            base=base,
                            canonical=values,
                            desired=desired,
                            candidates=candidates,
                            waits=waits,
                            problems=written.problems,
                            siblings=frozenset(each.external_id for each in found if each is not record),
                        )
                    )
    return items


def to_values(golden: Mapping[str, Any], member: Member | None) -> dict[str, Any]:
    """Return everything a mapping may write about a person: golden values, Global ID and loyalty standing."""
    values = dict(golden)
    values["global_id"] = str(golden["profile_id"])
    if member is not None:
        values["loyalty.points"] = member.points
        values["loyalty.tier"] = member.tier
        values["loyalty.programme"] = member.programme
        values["loyalty.enrolled_at"] = _to_second(member.enrolled_at)
        values["loyalty.last_redemption_at"] = _to_second(member.last_redemption_at)
    return values


def _to_second(moment: datetime | None) -> datetime | None:
    """Return a moment as every system can keep it: one that cuts fractions off would look as if it had been edited."""
    return None if moment is None else moment.replace(microsecond=0)


def _without_silent_clears(
    stream: StreamMapping, values: Mapping[str, Any], fields: Mapping[str, Any]
) -> dict[str, Any]:
    """Leave out fields that would be emptied, unless the mapping says that empty clears."""
    silent = {
        field.field for field in stream.spec.person_fields if values.get(field.attribute) is None and not field.clears
    }
    return {field: value for field, value in fields.items() if field not in silent or value not in (None, "")}


def _list_members(tx: Tx, *, profile_ids: Sequence[UUID], runtime: Runtime, now: datetime) -> dict[UUID, Member]:
    """Return memberships of the first programme by name, which is the one `loyalty.*` speaks of."""
    if not runtime.programmes:
        return {}
    name = runtime.programmes[0].name
    found = programme.find_members_today(
        tx, profile_ids=profile_ids, programmes=runtime.programmes[:1], programme=name, now=now
    )
    return {profile_id: members[0] for profile_id, members in found.items()}


def _list_creatable(tx: Tx, golden: Mapping[UUID, Any], *, policy: str, runtime: Runtime, now: datetime) -> set[UUID]:
    """Return who may get a record where they have none, by the system's policy: never, always, or a condition."""
    if policy == CREATE_NEVER:
        return set()
    if policy == CREATE_ALWAYS:
        return set(golden)
    return set(profile.filter_profiles(tx, profile_ids=list(golden), condition=policy, model=runtime.model, now=now))
