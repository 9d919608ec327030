"""Taking definitions over: check them with every room's own checks, put them in force, and make the data follow."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from comity.definitions import api as definitions
from comity.definitions.types import (
    ApplyResult,
    Checker,
    Definitions,
    Document,
    Kind,
    MappingSpec,
    Plan,
    PlanItem,
    SystemSpec,
)
from comity.identity import api as identity
from comity.inbox import api as inbox
from comity.kernel import schedules
from comity.kernel.database import Tx
from comity.mapping import api as mapping
from comity.mapping.types import Fault
from comity.outbox import api as outbox
from comity.outbox.types import Lane
from comity.profile import api as profile
from comity.profile.types import ModelInvalid
from comity.programme import api as programme
from comity.sync.runtime import Runtime, compile_runtime
from comity.systems import api as systems


class ApplyEffects(msgspec.Struct, frozen=True, kw_only=True):
    """What putting definitions in force set in motion.

    `new_variables`: variables of the environment that systems name and none named before; processes of the hub that
    were started without them have to be started anew.
    """

    result: ApplyResult
    new_attributes: list[str]
    decided_anew_count: int
    stale_systems: list[str]
    new_variables: dict[str, list[str]]


def check_mapping_document(document: Document, current: Definitions) -> Sequence[Fault]:
    """Check a mapping's lenses and paths against the attributes of its project."""
    if not isinstance(document.spec, MappingSpec):
        return ()
    return mapping.check_mapping(document.spec, attributes=current.attributes)


def check_rules_document(document: Document, current: Definitions) -> Sequence[Fault]:
    """Compile the orchestration rules against the attributes of their project."""
    try:
        profile.compile_model(
            attributes=sorted(current.attributes.items()), rules=current.rules_spec, rules_version=document.version
        )
    except ModelInvalid as error:
        return [Fault(field="", message=error.message, remedy=str(error.details.get("remedy", "")))]
    return ()


def plan_documents(tx: Tx, *, documents: Sequence[Document]) -> Plan:
    """Say what applying these documents would do; changes nothing."""
    return definitions.plan(tx, documents=documents)


def find_new_variables(tx: Tx, *, documents: Sequence[Document]) -> dict[str, list[str]]:
    """Return, by system, the variables of the environment that these documents name and those in force do not.

    A process knows only the environment it was started with.
    """
    known = {name for names in _list_variables(definitions.get_definitions(tx).documents).values() for name in names}
    found = {
        system: [each for each in names if each not in known] for system, names in _list_variables(documents).items()
    }
    return {system: names for system, names in found.items() if names}


def _list_variables(documents: Sequence[Document]) -> dict[str, list[str]]:
    return {
        each.name: sorted({secret.env for secret in each.spec.secrets.values() if secret.env is not None})
        for each in sorted(documents, key=lambda each: each.name)
        if isinstance(each.spec, SystemSpec)
    }


def apply_documents(
    tx: Tx,
    *,
    plan: Plan,
    author: str,
    now: datetime,
    checkers: Mapping[Kind, Checker],
    is_removal_allowed: bool = False,
) -> ApplyEffects:
    """Put a plan in force and make columns, books, systems, schedules, golden values and marks follow, all or nothing.

    Raises PlanStale, DefinitionsInvalid, AttributeTypeFixed, KindMoved.
    """
    before = definitions.get_definitions(tx)
    new_variables = find_new_variables(tx, documents=plan.documents)
    result = definitions.apply(
        tx, plan=plan, author=author, now=now, is_removal_allowed=is_removal_allowed, checkers=checkers
    )
    runtime = compile_runtime(definitions.get_definitions(tx))
    new_attributes = profile.ensure_columns(tx, model=runtime.model)
    for each in runtime.programmes:
        programme.open_programme(tx, programme=each, now=now)
    specs = runtime.systems
    systems.put_systems(
        tx, systems={name: (spec.connector, spec.title or name) for name, spec in specs.items()}, now=now
    )
    schedules.put_schedules(
        tx,
        prefix="pull:",
        cadences={
            f"pull:{name}:{stream}": cadence.every
            for name, spec in specs.items()
            for stream, cadence in spec.streams.items()
            if cadence.every is not None
        },
        now=now,
    )
    _read_again(tx, before, runtime, now=now)
    outbox.drop_systems(tx, kept=runtime.written_systems)
    touched = [*result.added, *result.changed]
    decided_anew = 0
    if _touches(touched, Kind.RULES, Kind.ATTRIBUTE):
        decided_anew = profile.rebuild_all(tx, model=runtime.model, now=now).changed_count
    stale = _list_stale_systems(touched, runtime, everywhere=decided_anew > 0)
    if stale:
        outbox.mark_everybody(tx, systems=stale, lane=Lane.BACKFILL)
    return ApplyEffects(
        result=result,
        new_attributes=new_attributes,
        decided_anew_count=decided_anew,
        stale_systems=stale,
        new_variables=new_variables,
    )


def _read_again(tx: Tx, before: Definitions, runtime: Runtime, *, now: datetime) -> None:
    """Read records again where the mapping reads more, or otherwise, than before.

    What is here already is put in again; what was never asked for is fetched by reading the stream from its beginning.
    """
    old = {(spec.system, spec.stream): spec for spec in before.mappings.values()}
    fresh_features = set(runtime.match.attributes) - _matched_attributes(before)
    again: list[tuple[str, str]] = []
    fetched: list[tuple[str, str]] = []
    for place, stream in runtime.streams.items():
        known = old.get(place)
        if known is None:
            continue
        is_read_otherwise = _reads_of(known) != _reads_of(stream.spec)
        has_fresh_features = stream.is_person and not fresh_features.isdisjoint(stream.compiled.read_attributes)
        if is_read_otherwise or has_fresh_features:
            again.append(place)
        if not _paths_of(stream.spec) <= _paths_of(known):
            fetched.append(place)
    inbox.requeue_latest(tx, streams=again, mark=f"revision-{runtime.revision}", now=now)
    systems.forget_cursors(tx, streams=fetched)


def _matched_attributes(current: Definitions) -> set[str]:
    return set(identity.compile_match(current.match_spec, attributes=current.attributes).attributes)


def _reads_of(spec: MappingSpec) -> bytes:
    """What decides how a record is read, as text that can be compared."""
    rows = [msgspec.structs.replace(field, every=None) for field in spec.person_fields if field.direction.is_read]
    return msgspec.json.encode([spec.external_id, spec.changed_at, rows, spec.purchase_fields], order="deterministic")


def _paths_of(spec: MappingSpec) -> set[str]:
    paths = {field.field for field in spec.person_fields if field.direction.is_read}
    purchase = spec.purchase_fields
    if purchase is not None:
        paths |= {source.field for source in purchase.sources.values() if source.field}
        paths |= {purchase.lines.field} if purchase.lines else set()
    return paths | ({spec.changed_at} if spec.changed_at else set())


def _touches(items: Sequence[PlanItem], *kinds: Kind) -> bool:
    return any(item.kind in kinds for item in items)


def _list_stale_systems(items: Sequence[PlanItem], runtime: Runtime, *, everywhere: bool) -> list[str]:
    """Return the systems whose records may have to show something else now."""
    if everywhere:
        return runtime.written_systems
    named = {item.name for item in items if item.kind is Kind.SYSTEM}
    named |= {
        runtime.definitions.mappings[item.name].system
        for item in items
        if item.kind is Kind.MAPPING and item.name in runtime.definitions.mappings
    }
    return [system for system in runtime.written_systems if system in named]
