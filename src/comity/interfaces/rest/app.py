"""The ASGI application: the hot routes bare, everything else in Litestar."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from litestar import Litestar, Request, Response
from litestar.exceptions import HTTPException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import ASGIApp

from comity import __version__, wiring
from comity.interfaces.rest import configuration, hooks, operations, people, status
from comity.interfaces.rest.callers import Callers
from comity.interfaces.rest.http import Receive, Scope, Send
from comity.interfaces.rest.intake import Intake
from comity.interfaces.rest.redeem import Redeem
from comity.interfaces.shared.problems import PROBLEM_TYPE, Problem, retry_after_seconds, to_problem
from comity.interfaces.shared.streams import KnownStreams
from comity.kernel.telemetry import get_logger

log = get_logger()

HotRoute = Callable[[Scope, Receive, Send], Awaitable[None]]


class Application:
    """Sends hot routes to the edge and the rest to Litestar."""

    def __init__(self, hub: wiring.Hub) -> None:
        """Build both for one process."""
        callers = Callers(database=hub.database, clock=hub.clock)
        self._intake = Intake(
            database=hub.database,
            callers=callers,
            streams=KnownStreams(database=hub.database, clock=hub.clock),
            clock=hub.clock,
        )
        self._redeem = Redeem(hub=hub, callers=callers)
        self._hot: dict[tuple[str, str], HotRoute] = {
            ("POST", "/v1/events"): self._intake.accept_one,
            ("POST", "/v1/events/bulk"): self._intake.accept_bulk,
            ("POST", "/v1/redemptions"): self._redeem.accept,
        }
        self._rest: ASGIApp = build_litestar(hub, callers, on_shutdown=self.close)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http":
            route = self._hot.get((scope["method"], scope["path"]))
            if route is not None:
                await route(scope, receive, send)
                return
        rest: Any = self._rest
        await rest(scope, receive, send)

    async def close(self) -> None:
        """Finish what is under way at the edge."""
        await self._intake.close()
        await self._redeem.close()


def build_litestar(hub: wiring.Hub, callers: Callers, *, on_shutdown: Callable[[], Awaitable[None]]) -> Litestar:
    """Return the application behind the hot routes."""
    app = Litestar(
        route_handlers=[
            *status.HANDLERS,
            *people.HANDLERS,
            *operations.HANDLERS,
            *configuration.HANDLERS,
            *hooks.HANDLERS,
        ],
        exception_handlers={Exception: answer_error},
        openapi_config=OpenAPIConfig(
            title="Comity",
            version=__version__,
            path="/v1",
            render_plugins=[JsonRenderPlugin(path="/openapi.json")],
        ),
        on_shutdown=[on_shutdown],
        logging_config=None,
    )
    app.state.hub = hub
    app.state.callers = callers
    return app


def answer_error(_request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer every error as problem details."""
    if isinstance(error, HTTPException):
        details: dict[str, Any] = {"problems": error.extra} if error.extra else {}
        problem = Problem(
            status=error.status_code,
            code=_code_of(error),
            title=error.detail or "The request cannot be answered.",
            details=details,
        )
        retry_after = None
    else:
        problem = to_problem(error)
        retry_after = retry_after_seconds(error)
        if problem.status == 500:
            log.error("request_failed", code=problem.code, exc_info=error)
    headers = {"retry-after": str(retry_after)} if retry_after is not None else {}
    return Response(
        content=msgspec.json.encode(problem),
        status_code=problem.status,
        media_type=PROBLEM_TYPE.decode(),
        headers=headers,
    )


def _code_of(error: HTTPException) -> str:
    return {400: "invalid", 404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}.get(
        error.status_code, "refused"
    )
