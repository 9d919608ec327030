"""The application, as RSGI has it: the hot routes bare, everything else in Litestar."""

from asyncio import AbstractEventLoop
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
from litestar import Litestar, Request, Response
from litestar.concurrency import set_asyncio_executor
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp

from comity import wiring
from comity.interfaces.rest import (
    configuration,
    enrolments,
    hooks,
    members,
    moves,
    operations,
    people,
    pools,
    promotions,
    purchases,
    rewards,
    status,
    stewarding,
    visits,
)
from comity.interfaces.rest.board import Board
from comity.interfaces.rest.bridge import serve_asgi
from comity.interfaces.rest.callers import Callers
from comity.interfaces.rest.description import describe
from comity.interfaces.rest.holds import open_capture, open_hold, open_release
from comity.interfaces.rest.http import Bodiless, Exchange, HotRoute, Scope, send_json, send_problem, send_told
from comity.interfaces.rest.intake import Intake
from comity.interfaces.rest.redeem import open_redeem
from comity.interfaces.rest.refusals import Refusals
from comity.interfaces.shared.problems import PROBLEM_TYPE, retry_after_seconds, to_framework_problem, to_problem
from comity.interfaces.shared.streams import KnownStreams
from comity.kernel.errors import Invalid
from comity.kernel.telemetry import get_logger

log = get_logger()

HANDLERS = [
    *status.HANDLERS,
    *people.HANDLERS,
    *stewarding.HANDLERS,
    *members.HANDLERS,
    *moves.HANDLERS,
    *promotions.HANDLERS,
    *visits.HANDLERS,
    *enrolments.HANDLERS,
    *rewards.HANDLERS,
    *pools.HANDLERS,
    *operations.HANDLERS,
    *configuration.HANDLERS,
    *hooks.HANDLERS,
]
DESCRIPTION_PATH = "/v1/openapi.json"
NOT_FOUND = 404
HANDLER_THREADS = 16
"""Threads of the routes in Litestar; keys are looked up on others, so that slow routes do not shut out the rest."""


class AddressMalformed(Invalid):
    """The address holds a zero byte, which no name and no id has."""


class Application:
    """Sends hot routes to the edge and the rest to Litestar."""

    def __init__(self, hub: wiring.Hub) -> None:
        """Build both for one process."""
        callers = Callers(database=hub.database, clock=hub.clock)
        self._hub = hub
        self._intake = Intake(
            database=hub.database,
            callers=callers,
            streams=KnownStreams(database=hub.database, clock=hub.clock),
            clock=hub.clock,
        )
        verbs = {
            "/v1/redemptions": open_redeem(hub, callers),
            "/v1/holds": open_hold(hub, callers),
            "/v1/holds/capture": open_capture(hub, callers),
            "/v1/holds/release": open_release(hub, callers),
            "/v1/purchases": purchases.open_purchase(hub, callers),
            "/v1/returns": purchases.open_return(hub, callers),
            **rewards.open_verbs(hub, callers),
        }
        refusals = Refusals(database=hub.database, clock=hub.clock)
        self._closers = [self._intake.close, *(each.close for each in verbs.values()), refusals.close]
        self._description = b""
        self._hot: dict[str, tuple[str, HotRoute]] = {
            "/v1/events": ("POST", self._intake.accept_one),
            "/v1/events/bulk": ("POST", self._intake.accept_bulk),
            **{path: ("POST", verb.accept) for path, verb in verbs.items()},
            "/v1/redemptions/bulk": ("POST", verbs["/v1/redemptions"].accept_bulk),
            DESCRIPTION_PATH: ("GET", self._send_description),
        }
        self._executor = ThreadPoolExecutor(max_workers=HANDLER_THREADS, thread_name_prefix="handler")
        set_asyncio_executor(self._executor)
        self._rest: ASGIApp = build_litestar(hub, callers, refusals)

    def __rsgi__(self, scope: Scope, exchange: Exchange) -> Awaitable[None]:
        """Answer a request."""
        method, route = self._hot.get(scope.path, ("", None))
        if route is not None and method == scope.method:
            return route(scope, exchange)
        return self._answer(scope, exchange)

    def __rsgi_del__(self, loop: AbstractEventLoop) -> None:
        """The server has stopped."""
        loop.run_until_complete(self.close())

    async def close(self) -> None:
        """Finish what is under way at the edge, then let go of the database."""
        for close in self._closers:
            await close()
        self._executor.shutdown(wait=False)
        self._hub.close()

    async def _answer(self, scope: Scope, exchange: Exchange) -> None:
        if scope.method == "HEAD":
            exchange = Bodiless(exchange)
        if not self._refuses(scope, exchange):
            await serve_asgi(self._rest, scope, exchange)

    def _refuses(self, scope: Scope, exchange: Exchange) -> bool:
        """Answer what neither side would answer well."""
        path = scope.path
        if "%00" in scope.query_string or "\x00" in path:
            send_problem(exchange, AddressMalformed(details={"remedy": "Send the name or id without it."}))
            return True
        allowed, route = self._hot.get(path.rstrip("/"), ("", None))
        if route is None:
            return False
        is_slash = path.endswith("/")
        title = f"This address takes {allowed} only{', and has no slash at the end' if is_slash else ''}."
        problem = to_framework_problem(status=404 if is_slash else 405, title=title, found=None)
        send_told(exchange, problem.status, msgspec.json.encode(problem), {"allow": allowed})
        return True

    async def _send_description(self, _scope: Scope, exchange: Exchange) -> None:
        """GET /v1/openapi.json; made when it is first asked for."""
        if not self._description:
            self._description = msgspec.json.encode(describe(HANDLERS))
        send_json(exchange, 200, self._description)


def build_litestar(hub: wiring.Hub, callers: Callers, refusals: Refusals) -> Litestar:
    """Return the application behind the hot routes."""
    app = Litestar(
        route_handlers=HANDLERS,
        exception_handlers={Exception: answer_error},
        openapi_config=None,
        logging_config=None,
    )
    app.state.hub = hub
    app.state.callers = callers
    app.state.board = Board(hub)
    app.state.refusals = refusals
    return app


def answer_error(_request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer every error as problem details."""
    headers: dict[str, str] = {}
    if isinstance(error, HTTPException):
        title = error.detail or "The request cannot be answered."
        if error.status_code == NOT_FOUND:
            title = "There is nothing at this address: no such route, or an id in it is not one."
        problem = to_framework_problem(status=error.status_code, title=title, found=error.extra)
        headers |= error.headers or {}
    else:
        problem = to_problem(error)
        retry_after = retry_after_seconds(error)
        headers |= {"retry-after": str(retry_after)} if retry_after is not None else {}
        headers |= {"www-authenticate": "Bearer"} if problem.status == 401 else {}
    if problem.status >= 500 and retry_after_seconds(error) is None:
        log.error("request_failed", code=problem.code, exc_info=error)
    return Response(
        content=msgspec.json.encode(problem),
        status_code=problem.status,
        media_type=PROBLEM_TYPE.decode(),
        headers=headers,
    )
