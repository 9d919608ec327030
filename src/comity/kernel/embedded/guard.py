"""The guard: parent of the server, started by whichever client comes first, gone after the last of them.

It is a process of its own, and the server's parent, because a dead child is reaped by its parent and by nobody else in
good time. It trusts no process ids: clients are holders of a lock, and the kernel drops the locks of the dead.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from comity.kernel.embedded.account import Account
from comity.kernel.embedded.binaries import find_programs
from comity.kernel.embedded.home import Home, write_json
from comity.kernel.embedded.locks import FileLock
from comity.kernel.embedded.postmaster import (
    StartFailed,
    check_version,
    clear_after_death,
    drop_socket_folder,
    find_running,
    log_tail,
    make_cluster,
    part_roles,
    socket_folder,
    start,
    stop,
)
from comity.kernel.errors import ComityError

POLL_SECONDS = 0.1
ELECTION_SECONDS = 2.0
FAILURES_MAX = 4
RESTART_SECONDS_MIN = 1.0
LOG_BYTES_MAX = 20 * 1024 * 1024
LOG_BYTES_KEPT = 1024 * 1024


class Guard:
    """Keeps one server running for as long as somebody uses it."""

    def __init__(self, *, home: Home, port: int | None, linger_seconds: float) -> None:
        """Take where the server lives, its TCP port if any, and how long it stays for the next user."""
        self.home = home
        self.port = port
        self.linger_seconds = linger_seconds
        self.guard_id = secrets.token_hex(8)
        self.process: subprocess.Popen[bytes] | None = None
        self.log_begin = 0
        self.users = FileLock(home.users_lock)

    def run(self) -> None:
        """Serve until nobody is left. While it stops, newcomers wait at the lock: none gets a dying server."""
        self.say("starting")
        failures = 0
        while True:
            began = time.monotonic()
            try:
                if self.serve():
                    break
                failures = 0
                time.sleep(max(0.0, RESTART_SECONDS_MIN - (time.monotonic() - began)))
            except (StartFailed, ComityError, OSError) as error:
                failures += 1
                self.end()
                if failures >= FAILURES_MAX or not isinstance(error, ServerDied):
                    self.say("failed", message=str(error))
                    return
                self.say("starting", message=str(error))
                time.sleep(0.1 * 2**failures)
        self.say("stopping")
        self.end()
        drop_socket_folder(self.home)
        self.home.state.unlink(missing_ok=True)

    def serve(self) -> bool:
        """Bring the server up, or take over one that runs, and watch it.

        True when nobody uses it any more, False when it ended by itself. Raises ServerDied when it does not get ready.
        """
        if find_running(self.home) is None:
            self.launch()
        while True:
            if self.is_dead():
                raise ServerDied(f"The server ended before it was ready. It said:\n{self.last_words()}")
            running = find_running(self.home)
            if running is not None and running.status == "ready":
                break
            if self.is_abandoned():
                return True
            time.sleep(0.02)
        tcp_port = running.port if running.is_tcp else None
        self.say(
            "ready",
            socket_dir=running.socket_dir,
            port=running.port,
            tcp_port=tcp_port,
            postmaster=running.process_id,
        )
        while not self.is_dead():
            if self.is_abandoned():
                return True
            self.trim_log()
            time.sleep(POLL_SECONDS)
        self.say("starting", message="The server ended; it is being started again.")
        self.end()
        return False

    def launch(self) -> None:
        """Start the server, in a new cluster if there is none."""
        clear_after_death(self.home)
        programs = find_programs(self.home.account)
        if not self.home.cluster.exists():
            self.say("starting", message="A new database is being made.")
            password, owner_password = draw_password(self.home.password), draw_password(self.home.owner_password)
            make_cluster(programs=programs, home=self.home, password=password, owner_password=owner_password)
        check_version(programs=programs, home=self.home)
        if not self.home.owner_password.exists():
            self.say("starting", message="The hub gets a role of its own.")
            owner_password = secrets.token_urlsafe(32)
            part_roles(programs=programs, home=self.home, owner_password=owner_password)
            keep_password(self.home.owner_password, owner_password)
        folder = socket_folder(self.home)
        self.log_begin = self.home.log.stat().st_size if self.home.log.exists() else 0
        self.process = start(programs=programs, home=self.home, port=self.port, socket_dir=folder)

    def is_dead(self) -> bool:
        """True when the server is gone. Asking reaps it."""
        if self.process is not None:
            return self.process.poll() is not None
        return find_running(self.home) is None

    def is_abandoned(self) -> bool:
        """True when nobody has used the server for the time it lingers. Then the lock stays taken."""
        deadline = time.monotonic() + self.linger_seconds
        while self.users.try_exclusive():
            if time.monotonic() >= deadline:
                return True
            self.users.let_go()
            if self.is_dead():
                return False
            time.sleep(POLL_SECONDS)
        return False

    def end(self) -> None:
        """Stop the server, if it runs."""
        stop(self.home, self.process)
        self.process = None

    def last_words(self) -> str:
        """What the server said since it was last started."""
        return log_tail(self.home.log, begin=self.log_begin)

    def trim_log(self) -> None:
        """Keep the log from growing for ever: its end is kept beside it, and it begins anew."""
        if self.home.log.stat().st_size > LOG_BYTES_MAX:
            self.home.log.with_suffix(".log.1").write_text(
                log_tail(self.home.log, lines_max=10_000, bytes_max=LOG_BYTES_KEPT)
            )
            os.truncate(self.home.log, 0)

    def say(self, status: str, **facts: Any) -> None:
        """Tell the clients how the server is."""
        write_json(self.home.state, {"guard": self.guard_id, "status": status, **facts})
        sys.stderr.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} guard {os.getpid()}: {status} {facts or ''}\n")
        sys.stderr.flush()


def draw_password(path: Path) -> str:
    """Give the password a file holds, made when it is not there."""
    if not path.exists():
        keep_password(path, secrets.token_urlsafe(32))
    return path.read_text()


def keep_password(path: Path, password: str) -> None:
    """Write a password where nobody else can read it, whole or not at all."""
    fresh = path.with_name(f".{path.name}")
    fresh.touch(mode=0o600)
    fresh.write_text(password)
    fresh.replace(path)


class ServerDied(StartFailed):
    """The server ended by itself; another try may help."""


def main() -> None:
    """Leave the client's process group and session, take the guard's lock, serve."""
    order: dict[str, Any] = json.loads(sys.argv[1])
    if os.fork():
        os._exit(0)  # The client waits for this one only; the guard's parent is the system.
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Its life ends with its last user, who may need the server while everything is being shut down.
        signal.signal(ignored, signal.SIG_IGN)
    os.umask(0o077)
    home = Home(path=Path(order["home"]), account=Account(*order["account"]))
    lock = FileLock(home.guard_lock)
    if not lock.wait_exclusive(seconds_max=ELECTION_SECONDS):
        return  # Another guard was faster.
    try:
        Guard(home=home, port=order["port"], linger_seconds=order["linger_seconds"]).run()
    except BaseException:
        traceback.print_exc()
        raise


if __name__ == "__main__":
    main()
