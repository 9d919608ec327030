"""The ASGI application round a simulator: vendor calls, faults, and the `/_sandbox` admin routes."""

import asyncio
import sys
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec

from comity.sandbox.clock import ShiftedClock
from comity.sandbox.faults import FaultOrder, FaultRule, Faults
from comity.sandbox.simulator import AdminEdit, AdminMerge, AdminRecords, AdminWebhook, BadAdmin, Simulator
from comity.sandbox.wire import Request, Response, Routes, answer, encode, parse_request

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

BODY_BYTES_MAX = 64 * 1024 * 1024


class Dropped(Exception):
    """The answer is lost on purpose; the server cuts the connection."""


class ClockMove(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Body of `/_sandbox/clock`."""

    advance_seconds: float


class Application:
    """One simulator behind ASGI; all calls run on one event loop, so its state needs no locks."""

    def __init__(self, *, simulator: Simulator, clock: ShiftedClock) -> None:
        """Wrap a simulator."""
        self._simulator = simulator
        self._clock = clock
        self._faults = Faults()
        self._admin = Routes()
        self._admin.add("POST", "/_sandbox/edit", self._edit)
        self._admin.add("POST", "/_sandbox/delete", self._delete)
        self._admin.add("POST", "/_sandbox/undelete", self._undelete)
        self._admin.add("POST", "/_sandbox/merge", self._merge)
        self._admin.add("GET", "/_sandbox/state", self._state)
        self._admin.add("GET", "/_sandbox/find", self._find)
        self._admin.add("POST", "/_sandbox/faults", self._add_faults)
        self._admin.add("GET", "/_sandbox/faults", self._list_faults)
        self._admin.add("DELETE", "/_sandbox/faults", self._clear_faults)
        self._admin.add("POST", "/_sandbox/webhook", self._webhook)
        self._admin.add("POST", "/_sandbox/clock", self._advance_clock)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        request = await _read(scope, receive)
        if request is None:
            await _send(send, answer(413, {"message": "The request body is too large."}))
            return
        if request.segments[:1] == ("_sandbox",):
            await _send(send, self._answer_admin(request))
            return
        faults = self._faults.take(method=request.method, path=request.path) if self._faults.rules else []
        for fault in faults:
            if fault.kind == "delay":
                await asyncio.sleep(fault.seconds)
        request.is_locked = any(fault.kind == "lock" for fault in faults)
        ending = next((fault for fault in faults if fault.kind in {"status", "drop"}), None)
        if ending is None:
            await _send(send, self._answer(request))
        elif ending.kind == "status":
            await _send(send, _fault_answer(ending))
        else:
            if ending.is_applied:
                self._answer(request)
            await _drop(send)

    def _answer(self, request: Request) -> Response:
        try:
            return self._simulator.answer(request)
        except Exception:  # noqa: BLE001 - a fault of the simulator must be seen, not kill the server.
            traceback.print_exc(file=sys.stderr)
            return answer(500, {"message": "The sandbox itself failed; see its standard error."})

    def _answer_admin(self, request: Request) -> Response:
        handler = self._admin.find(request)
        if handler is None:
            return answer(404, {"message": f"There is no admin route {request.method} {request.path}."})
        try:
            return handler(request)
        except (BadAdmin, ValueError, msgspec.MsgspecError) as error:
            return answer(400, {"message": str(error)})

    def _edit(self, request: Request) -> Response:
        order = msgspec.json.decode(request.body, type=AdminEdit)
        record_id = self._simulator.edit(kind=order.object, record_id=order.id, fields=order.fields)
        return answer(200, {"id": record_id})

    def _delete(self, request: Request) -> Response:
        order = msgspec.json.decode(request.body, type=AdminRecords)
        self._simulator.remove(kind=order.object, record_ids=order.ids)
        return answer(200, {"ids": order.ids})

    def _undelete(self, request: Request) -> Response:
        order = msgspec.json.decode(request.body, type=AdminRecords)
        self._simulator.restore(kind=order.object, record_ids=order.ids)
        return answer(200, {"ids": order.ids})

    def _merge(self, request: Request) -> Response:
        order = msgspec.json.decode(request.body, type=AdminMerge)
        record_id = self._simulator.merge(kind=order.object, survivor_id=order.survivor, loser_ids=order.losers)
        return answer(200, {"id": record_id})

    def _state(self, _request: Request) -> Response:
        now = self._clock.now().isoformat()
        return answer(200, {**self._simulator.state(), **self._simulator.tally.report(), "now": now})

    def _find(self, request: Request) -> Response:
        kind, field, value = (request.argument(name) for name in ("object", "field", "value"))
        if kind is None or field is None or value is None:
            return answer(400, {"message": "find needs the arguments object, field and value."})
        return answer(200, {"records": self._simulator.find(kind=kind, field=field, value=value)})

    def _add_faults(self, request: Request) -> Response:
        order = msgspec.json.decode(request.body, type=FaultOrder)
        self._faults.add(order.rules)
        self._simulator.disturb(order)
        return self._list_faults(request)

    def _list_faults(self, _request: Request) -> Response:
        return answer(200, {"rules": self._faults.rules})

    def _clear_faults(self, request: Request) -> Response:
        self._faults.clear()
        return self._list_faults(request)

    def _webhook(self, request: Request) -> Response:
        order = msgspec.json.decode(request.body, type=AdminWebhook)
        return answer(200, self._simulator.register_webhook(url=order.url, event_kinds=order.events))

    def _advance_clock(self, request: Request) -> Response:
        self._clock.advance(seconds=msgspec.json.decode(request.body, type=ClockMove).advance_seconds)
        return answer(200, {"now": self._clock.now().isoformat()})


async def _read(scope: MutableMapping[str, Any], receive: Receive) -> Request | None:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > BODY_BYTES_MAX:
            return None
        parts.append(part)
        if not message.get("more_body", False):
            break
    raw_path: bytes = scope.get("raw_path") or str(scope["path"]).encode()
    query: bytes = scope.get("query_string", b"")
    target = raw_path.decode("latin-1").partition("?")[0] + (f"?{query.decode('latin-1')}" if query else "")
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    return parse_request(method=scope["method"], target=target, headers=headers, body=b"".join(parts))


async def _send(send: Send, response: Response) -> None:
    headers = [(name.encode(), value.encode()) for name, value in response.headers]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


def _fault_answer(fault: FaultRule) -> Response:
    if isinstance(fault.body, str):
        body, content_type = fault.body.encode(), "text/html"
    else:
        body, content_type = (b"" if fault.body is None else encode(fault.body)), "application/json"
    headers = [("content-type", content_type), *fault.headers.items()]
    return Response(status=fault.status, body=body, headers=headers)


async def _drop(send: Send) -> None:
    # A promised length that never comes makes the server cut the connection: the client cannot know what happened.
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b" ", "more_body": True})
    raise Dropped
