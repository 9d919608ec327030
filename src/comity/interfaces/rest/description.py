"""The OpenAPI document of all routes: those in Litestar, described by their handlers, and the bare ones beside them."""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Annotated, Any

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig

from comity import __version__
from comity.interfaces.rest.edge import LineVerdict
from comity.interfaces.rest.events import IncomingEvent
from comity.interfaces.rest.holds import DESCRIBED as HOLDS
from comity.interfaces.rest.purchases import DESCRIBED as PURCHASES
from comity.interfaces.rest.redeem import RedemptionRequest
from comity.interfaces.rest.rewards import DESCRIBED as REWARDS
from comity.interfaces.shared.problems import Problem
from comity.programme.types import RedemptionVerdict

ABOUT = """The API of the hub. Errors are problem details (RFC 9457): `code` is stable, `details.remedy` says what to
do. Everything that is sent can be sent again: what is known already changes nothing."""

_REF = "#/components/schemas/{name}"
EVENT_TOLD = (IncomingEvent.__doc__ or "").strip()
AGAIN = "The same request again answers 200 as the first time."
_METHODS = ("get", "post", "put", "patch", "delete")


class EventAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the event is new; both are committed."""

    status: str


class RejectedLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line that holds no event which can be used: what is wrong, at which field, and what to do."""

    line: int
    code: str
    message: str
    remedy: str
    field: str | None = None


class BulkAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the lines: accepted + duplicates + rejected = lines."""

    accepted: int
    duplicates: int
    rejected: list[RejectedLine]


class RedemptionLine(LineVerdict, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one line: `outcome` is done, repeated or refused; `told` is as for a single redemption."""

    told: RedemptionVerdict | None = None


class RedemptionsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the lines: done + repeated + refused = lines."""

    done: int
    repeated: int
    refused: int
    verdicts: list[RedemptionLine]


_BARE = HOLDS | PURCHASES | REWARDS

_HOT: dict[str, dict[str, Any]] = {
    "/v1/events": {
        "operationId": "accept_event",
        "tags": ["events"],
        "summary": "Take in one event: the state of a record, or its end.",
        "description": "An answer 202 means that the event is committed. Needs a key with scope `intake`.\n\n"
        "Two events are the same when they tell of the same record and have the same `event_id`; without one, the same "
        "Idempotency-Key; without that, the same content and `occurred_at`. A record that may come back to an earlier "
        "state needs one of the three.",
        "scope": "intake",
        "request": ("application/json", {"$ref": _REF.format(name="IncomingEvent")}),
        "responses": {"202": ("accepted or duplicate", "EventAnswer")},
    },
    "/v1/events/bulk": {
        "operationId": "accept_events",
        "tags": ["events"],
        "summary": "Take in up to 1,000 events, one JSON object a line.",
        "description": "Good lines are committed, bad ones are named with their number. When none is good, the answer "
        "is 422 with the same fields. Needs a key with scope `intake`.",
        "scope": "intake",
        "request": ("application/x-ndjson", {"type": "string", "description": "IncomingEvent, one a line."}),
        "responses": {"202": ("what became of the lines", "BulkAnswer")},
    },
    "/v1/redemptions": {
        "operationId": "redeem_points",
        "tags": ["redemptions"],
        "summary": "Spend points of a member.",
        "description": "The answer holds transfer, balance and tier as of the commit. The same request again answers "
        "200 with the first transfer, and spends nothing. Needs a key with scope `redeem`.",
        "scope": "redeem",
        "request": ("application/json", {"$ref": _REF.format(name="RedemptionRequest")}),
        "responses": {
            "201": ("points were spent", "RedemptionVerdict"),
            "200": ("they were spent already", "RedemptionVerdict"),
        },
    },
    "/v1/redemptions/bulk": {
        "operationId": "redeem_points_bulk",
        "tags": ["redemptions"],
        "summary": "Spend points of up to 1,000 members, one wish a line.",
        "description": "One JSON object a line, as for POST /v1/redemptions, each with its own `idempotency_key`; a "
        "JSON list of them will do, too. All that can be done is committed as one batch; the answer has a verdict for "
        "each line, in order. Sent again, what was done is `repeated`. When no line can be read, the answer is 422 "
        "with the same verdicts. Needs a key with scope `redeem`.",
        "scope": "redeem",
        "request": ("application/x-ndjson", {"type": "string", "description": "RedemptionRequest, one a line."}),
        "responses": {"200": ("what became of the lines", "RedemptionsAnswer")},
    },
    **{
        path: {
            "operationId": told["operationId"],
            "tags": told.get("tags", ["holds"]),
            "summary": told["summary"],
            "description": f"{told['description']} {told.get('again', AGAIN)} "
            f"Needs a key with scope `{told.get('scope', 'redeem')}`.",
            "scope": told.get("scope", "redeem"),
            "takes_key": told.get("takes_key", True),
            "request": ("application/json", {"$ref": _REF.format(name=told["request"].__name__)}),
            "responses": {
                "201": (told["done"], told["answer"].__name__),
                "200": ("done already", told["answer"].__name__),
            },
        }
        for path, told in _BARE.items()
    },
}
_OWN = {RedemptionRequest, RedemptionVerdict, Problem} | {
    each[name] for each in _BARE.values() for name in ("request", "answer")
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "The same on every repetition of the same request.",
}


def describe(handlers: Sequence[HTTPRouteHandler]) -> dict[str, Any]:
    """Return the OpenAPI document."""
    config = OpenAPIConfig(title="Comity", version=__version__, description=ABOUT, use_handler_docstrings=True)
    described = Litestar(route_handlers=list(handlers), openapi_config=config, logging_config=None).openapi_schema
    document: dict[str, Any] = described.to_schema()
    for handler, path, method in list_routes(handlers):
        operation = document["paths"].get(path, {}).get(method)
        if operation is not None:
            _complete(operation, handler)
            operation["tags"] = [path.removeprefix("/v1").split("/")[1]]
    _, own = msgspec.json.schema_components(
        [_shape_of_event(), EventAnswer, BulkAnswer, RedemptionsAnswer, *sorted(_OWN, key=str)], ref_template=_REF
    )
    document["components"]["schemas"].update(own)
    document["components"]["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key: `comity keys create`."}
    }
    document["paths"].update({path: {"post": _operation(route)} for path, route in _HOT.items()})
    document["paths"] = dict(sorted(document["paths"].items()))
    return document


def list_routes(handlers: Sequence[HTTPRouteHandler]) -> Iterator[tuple[HTTPRouteHandler, str, str]]:
    """Yield every handler with its path, as OpenAPI writes it, and its method."""
    for handler in handlers:
        for path in handler.paths:
            for method in sorted(handler.http_methods):
                if method.lower() in _METHODS:
                    yield handler, re.sub(r":\w+}", "}", path), method.lower()


def list_hot_paths() -> list[str]:
    """Return the paths of the bare routes; all of them take POST."""
    return list(_HOT)


def _shape_of_event() -> type[msgspec.Struct]:
    """The event as it is decoded, but for `data`, which the edge leaves as bytes."""
    shapes: list[Any] = []
    for field in msgspec.structs.fields(IncomingEvent):
        if field.name == "data":
            told = msgspec.Meta(description="The record, in the system's own field names; a delete needs none.")
            shapes.append((field.name, Annotated[dict[str, Any], told], msgspec.field(default_factory=dict)))
        elif field.required:
            shapes.append((field.name, field.type))
        else:
            shapes.append((field.name, field.type, field.default))
    return msgspec.defstruct(
        IncomingEvent.__name__, shapes, kw_only=True, forbid_unknown_fields=True, namespace={"__doc__": EVENT_TOLD}
    )


@cache
def _problem_answer() -> dict[str, Any]:
    return {
        "description": "What is wrong, and what to do.",
        "content": {"application/problem+json": {"schema": {"$ref": _REF.format(name="Problem")}}},
    }


def _complete(operation: dict[str, Any], handler: HTTPRouteHandler) -> None:
    """Give an operation its name, what it needs, and the shape of its errors."""
    told: str = operation.get("description", "").strip()
    operation["summary"], _, rest = told.partition("\n")
    scope = handler.opt.get("scope")
    needs = f"Needs a key with scope `{scope}`." if scope else "Open: needs no key."
    operation["description"] = f"{rest.strip()}\n\n{needs}".strip()
    operation["operationId"] = handler.handler_name
    operation["security"] = [{"key": [scope]}] if scope else []
    operation.pop("deprecated", None)
    operation["responses"].pop("400", None)
    operation["responses"]["default"] = _problem_answer()


def _operation(route: dict[str, Any]) -> dict[str, Any]:
    media_type, schema = route["request"]
    answers = {
        status: {"description": what, "content": {"application/json": {"schema": {"$ref": _REF.format(name=name)}}}}
        for status, (what, name) in route["responses"].items()
    }
    is_single = media_type == "application/json"
    return {
        "operationId": route["operationId"],
        "tags": route["tags"],
        "summary": route["summary"],
        "description": route["description"],
        "security": [{"key": [route["scope"]]}],
        "parameters": [_IDEMPOTENCY_KEY] if is_single and route.get("takes_key", True) else [],
        "requestBody": {"required": True, "content": {media_type: {"schema": schema}}},
        "responses": {**answers, "default": _problem_answer()},
    }
