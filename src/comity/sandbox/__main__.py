"""`python -m comity.sandbox salesforce|hubspot --port N`: serve until a signal comes."""

import argparse
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

import msgspec

from comity.sandbox.api import SandboxOptions, leave, serve

SIGNAL_SECONDS = 0.5
"""How often to look for a signal: one that another thread took does not end the wait of this one."""


def main(arguments: list[str] | None = None) -> int:
    """Serve a simulated system until SIGINT or SIGTERM; print one JSON line when it is ready."""
    parser = argparse.ArgumentParser(prog="python -m comity.sandbox", description=main.__doc__)
    parser.add_argument("kind", choices=["salesforce", "hubspot"])
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--tls", action="store_true", help="serve https with a test certificate authority")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--people", type=Path, help="CSV file; its header row names the vendor's fields")
    parser.add_argument("--people-object", help="object the people belong to (Contact, contacts)")
    parser.add_argument("--one-stamp", action="store_true", help="all people were last changed at one moment")
    parser.add_argument("--bare", action="store_true", help="without our custom fields")
    parser.add_argument("--documented-limits", action="store_true", help="the vendor's own rate limits")
    parser.add_argument("--search-lag", type=float, default=0.0, help="HubSpot: seconds until search sees a write")
    parser.add_argument("--webhook-ca", type=Path, help="HubSpot: authority to trust when delivering webhooks")
    chosen = parser.parse_args(arguments)
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    sandbox = serve(
        kind=chosen.kind,
        port=chosen.port,
        host=chosen.host,
        tls=chosen.tls,
        seed=chosen.seed,
        people_csv=chosen.people,
        options=SandboxOptions(
            has_loyalty_fields=not chosen.bare,
            people_object=chosen.people_object,
            has_one_stamp=chosen.one_stamp,
            has_documented_limits=chosen.documented_limits,
            search_lag_seconds=chosen.search_lag,
            webhook_ca_file=chosen.webhook_ca,
        ),
    )
    with sandbox:
        sys.stdout.write(msgspec.json.encode(sandbox.ready).decode() + "\n")
        sys.stdout.flush()
        while not stopped.wait(SIGNAL_SECONDS):
            pass
    return 0


if __name__ == "__main__":
    leave(main())
