"""Taking definitions over: check them with every room's own checks, put them in force, and make the data follow."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from comity.definitions import api as definitions
from comity.definitions.types import ApplyResult, Checker, Definitions, Document, Kind, MappingSpec, Plan, PlanItem
from comity.kernel import schedules
from comity.kernel.database import Tx
from comity.mapping import api as mapping
from comity.mapping.types import Fault
from comity.outbox import api as outbox
from comity.outbox.types import Lane
from comity.profile import api as profile
from comity.profile.types import ModelInvalid
from comity.sync.runtime import Runtime, compile_runtime
from comity.systems import api as systems


class ApplyEffects(msgspec.Struct, frozen=True, kw_only=True):
    """What putting definitions in force set in motion."""

    result: ApplyResult
    new_attributes: list[str]
    decided_anew_count: int
    stale_systems: list[str]


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


def apply_documents(
    tx: Tx,
    *,
    plan: Plan,
    author: str,
    now: datetime,
    checkers: Mapping[Kind, Checker],
    is_removal_allowed: bool = False,
) -> ApplyEffects:
    """Put a plan in force and make columns, systems, schedules, golden values and stale marks follow, all or nothing.

    Raises PlanStale, DefinitionsInvalid, AttributeTypeFixed.
    """
    result = definitions.apply(
        tx, plan=plan, author=author, now=now, is_removal_allowed=is_removal_allowed, checkers=checkers
    )
    runtime = compile_runtime(definitions.get_definitions(tx))
    new_attributes = profile.ensure_columns(tx, model=runtime.model)
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
    touched = [*result.added, *result.changed]
    decided_anew = 0
    if _touches(touched, Kind.RULES, Kind.ATTRIBUTE):
        decided_anew = profile.rebuild_all(tx, model=runtime.model, now=now).changed_count
    stale = _list_stale_systems(touched, runtime, everywhere=decided_anew > 0)
    if stale:
        outbox.mark_everybody(tx, systems=stale, lane=Lane.BACKFILL, now=now)
    return ApplyEffects(
        result=result, new_attributes=new_attributes, decided_anew_count=decided_anew, stale_systems=stale
    )


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
