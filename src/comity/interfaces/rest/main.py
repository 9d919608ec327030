"""The web process: `python -m comity.interfaces.rest`, served by granian."""

import gc
import os
import sys
from typing import Any

from granian.constants import Interfaces, Loops, SSLProtocols
from granian.server import Server

from comity import wiring
from comity.interfaces.rest.app import Application
from comity.interfaces.shared.lifetime import end_with_parent_process, end_with_starter, refuse_to_start
from comity.kernel.errors import ComityError
from comity.kernel.telemetry import configure
from comity.settings import read_settings

BACKLOG = 1024
CONNECTIONS_MAX = 24
WAIT_SECONDS_MAX = 5.0
"""How long a request waits for a connection to the database before it is answered 503."""

STOP_SECONDS_MAX = 20
"""How long requests under way may take to end once the process was asked to."""

GC_THRESHOLDS = (10_000, 20, 20)

_OWN_LOGGING: dict[str, Any] = {
    "handlers": {},
    "formatters": {},
    "loggers": {
        name: {"handlers": [], "level": "WARNING", "propagate": True} for name in ("_granian", "granian.access")
    },
}
"""What the server says goes the way of our own log."""


def build_application() -> Application:
    """Build the application of one process from the environment; granian calls this in its worker."""
    settings = read_settings(os.environ)
    configure(level=settings.log_level)
    end_with_parent_process()
    application = Application(wiring.open_hub(settings, pool_size_max=CONNECTIONS_MAX, wait_seconds=WAIT_SECONDS_MAX))
    _spare_the_collector()
    return application


def _spare_the_collector() -> None:
    """Look for cycles less often, and not among what stays as long as the process: a twelfth of a request's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def main() -> int:
    """Serve until SIGTERM or SIGINT; TLS 1.3 only where a certificate is given."""
    configure()
    try:
        settings = read_settings(os.environ)
    except ComityError as error:
        return refuse_to_start(error)
    configure(level=settings.log_level)
    end_with_starter(sys.argv)
    server = Server(
        "comity.interfaces.rest.main:build_application",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.RSGI,
        loop=Loops.auto,
        workers=settings.web_workers,
        backlog=BACKLOG,
        websockets=False,
        log_dictconfig=_OWN_LOGGING,
        ssl_cert=settings.tls_certificate,
        ssl_key=settings.tls_key,
        ssl_protocol_min=SSLProtocols.tls13,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_SECONDS_MAX,
    )
    server.serve()
    return 0
