"""The web process: `python -m comity.interfaces.rest`, served by granian."""

import os

from granian.constants import Interfaces, Loops, SSLProtocols
from granian.server import Server

from comity import wiring
from comity.interfaces.rest.app import Application
from comity.kernel.telemetry import configure
from comity.settings import read_settings

BACKLOG = 1024


def build_application() -> Application:
    """Build the application of one process from the environment; granian calls this in its worker."""
    settings = read_settings(os.environ)
    configure(level=settings.log_level)
    return Application(wiring.open_hub(settings, pool_size_max=24))


def main() -> int:
    """Serve until SIGTERM or SIGINT; TLS 1.3 only where a certificate is given."""
    settings = read_settings(os.environ)
    server = Server(
        "comity.interfaces.rest.main:build_application",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        loop=Loops.auto,
        workers=1,
        backlog=BACKLOG,
        websockets=False,
        log_enabled=True,
        ssl_cert=settings.tls_certificate,
        ssl_key=settings.tls_key,
        ssl_protocol_min=SSLProtocols.tls13,
        respawn_failed_workers=True,
    )
    server.serve()
    return 0
