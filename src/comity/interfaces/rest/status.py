"""The status page, its numbers, health and metrics; the page of the API. Nothing here names a person."""

from importlib.resources import files
from typing import Any

from litestar import MediaType, Request, Response, get

from comity.interfaces.rest.guards import board_of, hub_of
from comity.interfaces.rest.measures import measure_hub
from comity.interfaces.shared.views import StatusView
from comity.kernel.telemetry import METRICS_MEDIA_TYPE, render_metrics

SECURITY_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
}


def _read(name: str) -> bytes:
    return (files("comity.interfaces.rest") / "pages" / name).read_bytes()


@get("/", media_type=MediaType.HTML, include_in_schema=False, sync_to_thread=False)
def show_status_page() -> Response[bytes]:
    """Show how the hub is doing."""
    return Response(content=_read("status.html"), media_type="text/html", headers=SECURITY_HEADERS)


@get("/status.css", include_in_schema=False, sync_to_thread=False)
def send_style() -> Response[bytes]:
    """Send the page's style."""
    return Response(content=_read("status.css"), media_type="text/css", headers=SECURITY_HEADERS)


@get("/status.js", include_in_schema=False, sync_to_thread=False)
def send_script() -> Response[bytes]:
    """Send the page's script."""
    return Response(content=_read("status.js"), media_type="text/javascript", headers=SECURITY_HEADERS)


@get("/api", media_type=MediaType.HTML, include_in_schema=False, sync_to_thread=False)
def show_api_page() -> Response[bytes]:
    """Show the description of the API to people."""
    return Response(content=_read("api.html"), media_type="text/html", headers=SECURITY_HEADERS)


@get("/api.js", include_in_schema=False, sync_to_thread=False)
def send_api_script() -> Response[bytes]:
    """Send that page's script."""
    return Response(content=_read("api.js"), media_type="text/javascript", headers=SECURITY_HEADERS)


@get("/status.svg", include_in_schema=False, sync_to_thread=False)
def send_mark() -> Response[bytes]:
    """Send the page's mark."""
    return Response(content=_read("status.svg"), media_type="image/svg+xml", headers=SECURITY_HEADERS)


@get("/v1/status", sync_to_thread=True)
def get_status(request: Request[Any, Any, Any]) -> StatusView:
    """Return the hub at a glance: systems, lag, counts. Open: it holds no personal data."""
    return board_of(request).look()


@get("/health", media_type=MediaType.TEXT, sync_to_thread=True)
def get_health(request: Request[Any, Any, Any]) -> str:
    """Answer ok when the database answers."""
    hub_of(request).database.ping()
    return "ok"


@get("/metrics", media_type=MediaType.TEXT, sync_to_thread=True)
def get_metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Return metrics in Prometheus' text form: of this process, and of the hub as the status page has it."""
    measure_hub(board_of(request))
    return Response(content=render_metrics(), media_type=METRICS_MEDIA_TYPE)


HANDLERS = [
    show_status_page,
    show_api_page,
    send_style,
    send_script,
    send_api_script,
    send_mark,
    get_status,
    get_health,
    get_metrics,
]
