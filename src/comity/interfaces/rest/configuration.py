"""Definitions over HTTP: what is in force, who changed what, what a change would do, and the change itself."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from litestar import Request, get, post
from litestar.params import FromPath, JSONBody

from comity import wiring
from comity.definitions import api as definitions
from comity.definitions.types import Apply, PlanItem
from comity.interfaces.rest.guards import caller_of, hub_of, require_key
from comity.interfaces.shared.history import VersionView, describe_runtime, list_history, to_kind
from comity.interfaces.shared.projects import load_files
from comity.sync import api as sync


class Files(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A project as files: path -> YAML. `allow_removal`: documents that are not among them go."""

    files: dict[str, Annotated[str, msgspec.Meta(max_length=2_000_000)]]
    allow_removal: bool = False


class PlanView(msgspec.Struct, frozen=True, kw_only=True):
    """What applying would do.

    `new_variables`, by system: variables of the environment that the hub has to be (re)started with.
    """

    revision: int
    added: tuple[PlanItem, ...]
    changed: tuple[PlanItem, ...]
    removed: tuple[PlanItem, ...]
    unchanged_count: int
    new_variables: dict[str, list[str]]


class ApplyView(msgspec.Struct, frozen=True, kw_only=True):
    """What was put in force.

    `new_variables`, by system: variables of the environment that the hub has to be (re)started with.
    """

    revision: int
    added: tuple[PlanItem, ...]
    changed: tuple[PlanItem, ...]
    removed: tuple[PlanItem, ...]
    kept: tuple[PlanItem, ...]
    new_attributes: list[str]
    stale_systems: list[str]
    new_variables: dict[str, list[str]]


@get("/v1/definitions", guards=[require_key], opt={"scope": "read"}, sync_to_thread=True)
def export_definitions(request: Request[Any, Any, Any]) -> dict[str, str]:
    """Return the definitions in force as files, comments kept."""
    with hub_of(request).database.transaction() as tx:
        return definitions.export(tx)


@get("/v1/definitions/history", guards=[require_key], opt={"scope": "read"}, sync_to_thread=True)
def list_applies(request: Request[Any, Any, Any]) -> Sequence[Apply]:
    """Return who put which definitions in force and when, newest first, a hundred at most."""
    with hub_of(request).database.transaction() as tx:
        return definitions.list_applies(tx)


@get("/v1/definitions/history/{kind:str}/{name:str}", guards=[require_key], opt={"scope": "read"}, sync_to_thread=True)
def list_document_history(
    request: Request[Any, Any, Any], kind: FromPath[str], name: FromPath[str]
) -> list[VersionView]:
    """Return the latest fifty versions of a document, newest first: author, time, and what each changed."""
    with hub_of(request).database.transaction() as tx:
        return list_history(tx, kind=to_kind(kind), name=name)


@get(
    "/v1/definitions/description",
    guards=[require_key],
    opt={"scope": "read"},
    sync_to_thread=True,
    media_type="text/markdown",
)
def describe_definitions(request: Request[Any, Any, Any]) -> str:
    """Return what is in force for people to read (Markdown): the mapping specification, and who leads where."""
    return describe_runtime(hub_of(request).get_runtime())


@post("/v1/definitions/plan", guards=[require_key], opt={"scope": "configure"}, status_code=200, sync_to_thread=True)
def plan_definitions(request: Request[Any, Any, Any], data: JSONBody[Files]) -> PlanView:
    """Say what applying these files would do; changes nothing."""
    documents = load_files(data.files)
    with hub_of(request).database.transaction() as tx:
        plan = sync.plan_documents(tx, documents=documents)
        new_variables = sync.find_new_variables(tx, documents=documents)
    return PlanView(
        revision=plan.revision,
        added=plan.added,
        changed=plan.changed,
        removed=plan.removed,
        unchanged_count=len(plan.unchanged),
        new_variables=new_variables,
    )


@post("/v1/definitions/apply", guards=[require_key], opt={"scope": "configure"}, status_code=200, sync_to_thread=True)
def apply_definitions(request: Request[Any, Any, Any], data: JSONBody[Files]) -> ApplyView:
    """Put these files in force, all or nothing; running processes follow at once."""
    documents = load_files(data.files)
    hub = hub_of(request)
    effects = hub.database.run(
        lambda tx: sync.apply_documents(
            tx,
            plan=sync.plan_documents(tx, documents=documents),
            author=caller_of(request),
            now=hub.clock.now(),
            checkers=wiring.CHECKERS,
            is_removal_allowed=data.allow_removal,
        )
    )
    result = effects.result
    return ApplyView(
        revision=result.revision,
        added=result.added,
        changed=result.changed,
        removed=result.removed,
        kept=result.kept,
        new_attributes=effects.new_attributes,
        stale_systems=effects.stale_systems,
        new_variables=effects.new_variables,
    )


HANDLERS = [
    export_definitions,
    list_applies,
    list_document_history,
    describe_definitions,
    plan_definitions,
    apply_definitions,
]
