"""Keys for the routes in Litestar; a route names its scope in `opt`."""

from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler

from comity import wiring
from comity.interfaces.rest.board import Board
from comity.interfaces.rest.callers import Callers
from comity.interfaces.rest.refusals import Refusals


async def require_key(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Let only keys with the route's scope pass."""
    callers: Callers = connection.app.state.callers
    connection.state.caller = await callers.require(connection.headers.get("authorization"), handler.opt["scope"])


def hub_of(request: Request[Any, Any, Any]) -> wiring.Hub:
    """Return the hub of this process."""
    hub: wiring.Hub = request.app.state.hub
    return hub


def board_of(request: Request[Any, Any, Any]) -> Board:
    """Return the status board of this process."""
    board: Board = request.app.state.board
    return board


def refusals_of(request: Request[Any, Any, Any]) -> Refusals:
    """Return the refused webhooks of this process."""
    refusals: Refusals = request.app.state.refusals
    return refusals


def caller_of(request: Request[Any, Any, Any]) -> str:
    """Return the name of the key that is calling."""
    return str(request.state.caller.name)
