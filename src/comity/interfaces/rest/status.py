"""The status page, its numbers, health and metrics. Counts only: nothing here names a person."""

from importlib.resources import files
from typing import Any

from litestar import MediaType, Request, Response, get

from comity.interfaces.rest.guards import hub_of
from comity.interfaces.shared.views import StatusView, view_status
from comity.kernel.telemetry import render_metrics

SECURITY_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
}


def _read(name: str) -> bytes:
    return (files("comity.interfaces.rest") / "pages" / name).read_bytes()


@get("/", media_type=MediaType.HTML, include_in_schema=False, sync_to_thread=False)
def show_status_page() -> Response[bytes]:
    """Show how the hub is doing."""
    return Response(content=_read("status.html"), media_type="text/html; charset=utf-8", headers=SECURITY_HEADERS)


@get("/status.css", include_in_schema=False, sync_to_thread=False)
def send_style() -> Response[bytes]:
    """Send the page's style."""
    return Response(content=_read("status.css"), media_type="text/css; charset=utf-8", headers=SECURITY_HEADERS)


@get("/status.js", include_in_schema=False, sync_to_thread=False)
def send_script() -> Response[bytes]:
    """Send the page's script."""
    return Response(content=_read("status.js"), media_type="text/javascript; charset=utf-8", headers=SECURITY_HEADERS)


@get("/v1/status", sync_to_thread=True)
def get_status(request: Request[Any, Any, Any]) -> StatusView:
    """Return the hub at a glance: systems, lag, counts. Open: it holds no personal data."""
    return view_status(hub_of(request))


@get("/health", media_type=MediaType.TEXT, include_in_schema=False, sync_to_thread=True)
def get_health(request: Request[Any, Any, Any]) -> str:
    """Answer ok when the database answers."""
    hub_of(request).database.ping()
    return "ok"


@get("/metrics", include_in_schema=False, sync_to_thread=False)
def get_metrics() -> Response[bytes]:
    """Return the process's metrics in Prometheus' text form."""
    return Response(content=render_metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")


HANDLERS = [show_status_page, send_style, send_script, get_status, get_health, get_metrics]
