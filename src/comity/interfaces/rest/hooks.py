"""Webhooks of connected systems: verify the raw bytes, store, commit, answer. Nothing else on that path."""

import asyncio
from typing import Any

from litestar import Request, Response, post
from litestar.params import FromPath

from comity.connect.types import CallFailed, ErrorClass, HookMalformed, HookRequest, SettingsInvalid, SignatureInvalid
from comity.interfaces.rest.guards import hub_of, refusals_of
from comity.kernel.errors import Invalid, NotFound
from comity.sync import api as sync

BODY_BYTES_MAX = 5_000_000


class SystemUnknown(NotFound):
    """There is no such system."""


class HookUnexpected(Invalid):
    """This system takes no webhooks as it is set up."""


@post("/hooks/{system:str}", status_code=202, request_max_body_size=BODY_BYTES_MAX)
async def receive_hook(request: Request[Any, Any, Any], system: FromPath[str]) -> Response[bytes]:
    """Take a webhook of a system in; its signature is checked by the system's connector."""
    body = await request.body()
    try:
        await asyncio.to_thread(_store, request, system, body)
    except (SignatureInvalid, HookMalformed, HookUnexpected, SettingsInvalid) as error:
        refusals_of(request).note(system, error)
        raise
    return Response(content=b"", status_code=202)


def _store(request: Request[Any, Any, Any], system: str, body: bytes) -> None:
    hub = hub_of(request)
    with hub.database.transaction() as tx:
        runtime = hub.runtimes.get(tx)
        spec = runtime.systems.get(system)
        if spec is None:
            raise SystemUnknown(f"There is no system {system!r}.")
        hook = HookRequest(
            method=request.method,
            url=f"{hub.settings.base_url}{request.scope['path']}",
            headers=dict(request.headers),
            body=body,
            now=hub.clock.now(),
        )
        try:
            sync.receive_hook(tx, system=system, connector=hub.get_connector(system, spec), request=hook)
        except CallFailed as error:
            if error.error_class is not ErrorClass.UNSUPPORTED:
                raise
            raise HookUnexpected(
                details={"remedy": "Describe the webhook in the system's settings, or do not call."}
            ) from error


HANDLERS = [receive_hook]
