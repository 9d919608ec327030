"""The web process of a hub in a process of its own, and load on it."""

import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException

import msgspec

from bench.hub import create_key
from bench.load import Order, Outcome
from bench.server import Server, free_port
from comity.wiring import Hub

HOST = "127.0.0.1"
START_SECONDS_MAX = 60.0


class Web:
    """The web process of a hub, and load on it."""

    def __init__(self, *, port: int, key: str, process_id: int) -> None:
        """Take where it listens."""
        self._port = port
        self._key = key
        self._runs = 0
        self.process_id = process_id

    def run(self, *, seconds: float, connections: int, lines: int = 0, spend: str = "", members: int = 0) -> Outcome:
        """Send for so long and return what came back. Raises RuntimeError when something was refused."""
        self._runs += 1
        order = Order(
            host=HOST,
            port=self._port,
            key=self._key,
            run=f"run{self._runs}",
            connections=connections,
            seconds=seconds,
            lines=lines,
            spend=spend,
            members=members,
        )
        done = subprocess.run(
            [sys.executable, "-m", "bench.load"],
            input=msgspec.json.encode(order),
            stdout=subprocess.PIPE,
            check=True,
            timeout=seconds + 120,
        )
        outcome = msgspec.json.decode(done.stdout, type=Outcome)
        if outcome.refused:
            raise RuntimeError(f"{outcome.refused} requests were not accepted.")
        return outcome


@contextmanager
def serve(server: Server, hub: Hub) -> Generator[Web]:
    """Run the web process on the hub's database."""
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COMITY_")} | {
        "COMITY_DATA_DIR": str(server.data_dir),
        "COMITY_PROJECT_DIR": str(hub.settings.project_dir),
        "COMITY_HOST": HOST,
        "COMITY_PORT": str(port),
        "COMITY_LOG_LEVEL": "warning",
    }
    command = [sys.executable, "-m", "comity.interfaces.rest"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603 - our own module.
    try:
        _wait_until_it_answers(process, port)
        yield Web(port=port, key=create_key(hub), process_id=process.pid)
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_until_it_answers(process: "subprocess.Popen[bytes]", port: int) -> None:
    until = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError, HTTPException):
            connection = HTTPConnection(HOST, port, timeout=5)
            connection.request("GET", "/v1/openapi.json")
            if connection.getresponse().status < 500:
                return
        time.sleep(0.1)
    raise RuntimeError("The web process does not answer.")
