"""The client's side: take part in the use of a server, bring a guard up when there is none, wait until it is ready."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from comity.kernel.embedded.home import Home, find_home, forget, settle
from comity.kernel.embedded.locks import FileLock
from comity.kernel.embedded.postmaster import log_tail
from comity.kernel.embedded.roles import DATABASE, OWNER, ROLE
from comity.kernel.errors import Conflict, NotFound, Unavailable

Progress = Callable[[float, str], None]
"""Called about once a second while waiting: seconds waited, and what the server last said."""

POLL_SECONDS = 0.02
GUARD_STARTS_MAX = 5
GUARD_WATCH_SECONDS = 0.5
GUARD_WATCH_SECONDS_MAX = 30.0
PROGRESS_SECONDS = 1.0
PORT_CHANGE_SECONDS = 3.0
GUARD_LOG_BYTES_MAX = 1024 * 1024
GUARD_ENVIRONMENT = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME")


class ServerFailed(Unavailable):
    """The embedded server does not start."""


class ServerInUse(Conflict):
    """Other processes use the embedded server."""


class EmbeddedServer:
    """One process's part in an embedded server. The server runs for as long as anybody holds such a part."""

    def __init__(self, *, home: Home, users: FileLock, order: dict[str, Any], facts: dict[str, Any]) -> None:
        """Made by `ensure`."""
        self.home = home
        self._users = users
        # A guard that this client brings back serves under the same address, whatever this client had asked for.
        self._order = {**order, "port": facts["tcp_port"]}
        self._facts = facts
        self._password = home.password.read_text()
        self._is_closing = threading.Event()
        self._watch = threading.Thread(target=self._watch_guard, name="embedded-postgres-watch", daemon=True)
        _open_servers.add(self)
        self._watch.start()

    @property
    def dsn(self) -> str:
        """The address of the hub's own database."""
        return self.dsn_for(DATABASE)

    def dsn_for(self, database: str) -> str:
        """The address of a database of this server, as the hub uses it."""
        return self._address(database, role=ROLE, password=self._password)

    @property
    def owner_dsn(self) -> str:
        """The address of the hub's own database for its owner, who changes the schema. Raises ServerInUse."""
        return self.owner_dsn_for(DATABASE)

    def owner_dsn_for(self, database: str) -> str:
        """The address of a database of this server for its owner, a superuser. Raises ServerInUse."""
        try:
            password = self.home.owner_password.read_text()
        except FileNotFoundError as error:
            raise ServerInUse(
                f"The server in {self.home.path} was started by an earlier version of Comity. Stop every process that "
                "uses it, and start this version again."
            ) from error
        return self._address(database, role=OWNER, password=password)

    def _address(self, database: str, *, role: str, password: str) -> str:
        place = f"host={quote(self._facts['socket_dir'], safe='')}&port={self._facts['port']}"
        return f"postgresql://{role}:{quote(password, safe='')}@/{quote(database, safe='')}?{place}"

    def close(self, *, wait_seconds: float = 0.0) -> bool:
        """Leave. The last one to leave stops the server. True when it has stopped within the time given.

        Repeating does nothing. Servers that are never closed are left at the end of the process, however it ends.
        """
        if self in _open_servers:
            _open_servers.discard(self)
            self._is_closing.set()
            self._users.close()
        guard = FileLock(self.home.guard_lock)
        try:
            has_stopped = guard.wait_exclusive(seconds_max=wait_seconds)
        finally:
            guard.close()
        return has_stopped

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _watch_guard(self) -> None:
        """Bring the guard back when it was killed: without it nobody would start the server again, nor ever stop it."""
        guard = FileLock(self.home.guard_lock)
        pause = GUARD_WATCH_SECONDS
        while not self._is_closing.wait(pause):
            if guard.is_held_by_others():
                pause = GUARD_WATCH_SECONDS
            else:
                pause = min(pause * 2, GUARD_WATCH_SECONDS_MAX)
                _warn_of_lost_guard(self.home)
                with contextlib.suppress(OSError, subprocess.SubprocessError):
                    _start_guard(self.home, self._order)
        guard.close()

    def leave_in_child(self) -> None:
        """In a forked child: the part is the parent's, so drop the copy of its lock. No lock of Python is touched."""
        self._users.drop_copy()


def ensure(
    *, data_dir: Path, port: int | None = None, linger_seconds: float = 1.0, progress: Progress | None = None
) -> EmbeddedServer:
    """Take part in the server of a data folder, started if nobody runs it yet, made if there is none.

    Without `port` it listens on a socket that only its owner can reach; with it, on 127.0.0.1 too. There is no limit
    on the wait, since recovery after a crash takes as long as it takes; `progress` tells how it goes. A forked child
    has no part in it and calls `ensure` itself. Raises ServerFailed, ServerInUse (it runs with another port),
    HomeUnusable, HomeCopied.
    """
    home = settle(data_dir)
    wait = _Wait(home=home, progress=progress)
    users = FileLock(home.users_lock)
    order: dict[str, Any] = {
        "home": str(home.path),
        "account": list(home.account),
        "port": port,
        "linger_seconds": linger_seconds,
    }
    try:
        while True:
            while not users.try_shared():
                wait.tick("Waiting for the server to finish stopping.")
            facts = _wait_until_ready(home, order, wait)
            if port is None or port == facts["tcp_port"]:
                return EmbeddedServer(home=home, users=users, order=order, facts=facts)
            users.let_go()
            _wait_for_another_port(home, data_dir, asked=port, found=facts["tcp_port"])
    except BaseException:
        users.close()
        raise


def create_database(server: EmbeddedServer, name: str) -> str:
    """Create an empty database with the server's own locale, unless it is there, and give its address."""
    import psycopg
    from psycopg import errors, sql

    names = (sql.Identifier(name), sql.Identifier(ROLE))
    with psycopg.connect(server.owner_dsn, autocommit=True) as connection:
        with contextlib.suppress(errors.DuplicateDatabase):
            connection.execute(sql.SQL("create database {} template template0").format(*names))
        connection.execute(sql.SQL("grant create on database {} to {}").format(*names))
    return server.dsn_for(name)


def remove(*, data_dir: Path, wait_seconds: float = 30.0) -> None:
    """Delete the embedded database of a data folder, for good.

    Raises NotFound, and ServerInUse while anybody uses it.
    """
    home = find_home(data_dir)
    if home is None:
        raise NotFound(f"There is no embedded database in {data_dir}.")
    guard, users = FileLock(home.guard_lock), FileLock(home.users_lock)
    try:
        if not guard.wait_exclusive(seconds_max=wait_seconds) or not users.try_exclusive():
            raise ServerInUse(f"The server of {data_dir} is in use. Stop the processes that use it first.")
        forget(data_dir, home)
    finally:
        guard.close()
        users.close()


_open_servers: set[EmbeddedServer] = set()


def _leave_all_in_child() -> None:
    for server in _open_servers:
        server.leave_in_child()
    _open_servers.clear()


os.register_at_fork(after_in_child=_leave_all_in_child)


def _warn_of_lost_guard(home: Home) -> None:
    from comity.kernel.telemetry import get_logger  # Here, so that the guard itself starts without it.

    get_logger().warning("embedded.guard_lost", home=str(home.path), server_log=str(home.log))


def _wait_for_another_port(home: Home, data_dir: Path, *, asked: int, found: int | None) -> None:
    """Wait a little for a server that only lingers; refuse when others use it with the port it has."""
    guard = FileLock(home.guard_lock)
    try:
        if not guard.wait_exclusive(seconds_max=PORT_CHANGE_SECONDS):
            listening = f"on port {found}" if found else "without a port"
            raise ServerInUse(
                f"The server of {data_dir} already runs {listening}. Stop the other processes that use it to have it "
                f"on port {asked}."
            )
    finally:
        guard.close()


class _Wait:
    """Sleeping in small steps, with a word to whoever waits."""

    def __init__(self, *, home: Home, progress: Progress | None) -> None:
        self._home = home
        self._progress = progress
        self._began = self._told = time.monotonic()

    def tick(self, message: str) -> None:
        now = time.monotonic()
        if self._progress is not None and now - self._told >= PROGRESS_SECONDS:
            self._told = now
            self._progress(now - self._began, log_tail(self._home.log, lines_max=1) or message)
        time.sleep(POLL_SECONDS)


def _wait_until_ready(home: Home, order: dict[str, Any], wait: _Wait) -> dict[str, Any]:
    guard = FileLock(home.guard_lock)
    try:
        last = _read_state(home)
        is_stale = last.get("status") == "failed" or not guard.is_held_by_others()
        stale, starts = last.get("guard") if is_stale else None, 0
        while True:
            state = _read_state(home)
            if state.get("guard") != stale or stale is None:
                if state.get("status") == "failed":
                    raise ServerFailed(_explain(home, str(state.get("message", ""))))
                if state.get("status") == "ready" and guard.is_held_by_others() and _answers(home, state):
                    return state
            if not guard.is_held_by_others():
                starts += 1
                if starts > GUARD_STARTS_MAX:
                    raise ServerFailed(_explain(home, log_tail(home.guard_log)))
                _start_guard(home, order)
                _let_it_take_the_lock(guard)
            wait.tick(str(state.get("message", "The server is starting.")))
    finally:
        guard.close()


def _let_it_take_the_lock(guard: FileLock) -> None:
    deadline = time.monotonic() + 2.0
    while not guard.is_held_by_others() and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def _answers(home: Home, state: dict[str, Any]) -> bool:
    """True when a session opens. What the state file says may be a killed guard's last word."""
    import psycopg

    try:
        psycopg.connect(
            host=state["socket_dir"],
            port=state["port"],
            user=ROLE,
            dbname=DATABASE,
            password=home.password.read_text(),
            connect_timeout=10,
        ).close()
    except psycopg.OperationalError as error:
        if "password authentication failed" in str(error):
            raise ServerFailed(
                f"The server in {home.path} does not take the password in {home.password}. Put the file back."
            ) from error
        return False
    return True


def _start_guard(home: Home, order: dict[str, Any]) -> None:
    """Start a guard. Several may start at once; the one that gets the lock stays."""
    has_grown = home.guard_log.exists() and home.guard_log.stat().st_size > GUARD_LOG_BYTES_MAX
    with home.guard_log.open("wb" if has_grown else "ab") as log:
        # Our own interpreter and module; the order is one argument and no shell is involved.
        subprocess.run(  # noqa: S603 - words of ours.
            [sys.executable, "-P", "-m", "comity.kernel.embedded.guard", json.dumps(order)],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=_guard_environment(),
            start_new_session=True,
            timeout=60,
        )


def _guard_environment() -> dict[str, str]:
    """What Python needs to start, and nothing else: the guard lives long and has no business with our secrets."""
    kept = {name: os.environ[name] for name in GUARD_ENVIRONMENT if name in os.environ}
    package_root = str(Path(__file__).resolve().parents[3])
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    paths = [package_root, *(str(Path(part).absolute()) for part in inherited if part)]
    return {**kept, "PYTHONPATH": os.pathsep.join(paths)}


def _read_state(home: Home) -> dict[str, Any]:
    try:
        return json.loads(home.state.read_text())
    except (OSError, ValueError):
        return {}


def _explain(home: Home, message: str) -> str:
    return (
        f"The embedded PostgreSQL in {home.path} does not start.\n{message}\nThe whole log is in {home.log}. "
        "Free disk space or memory if it asks for them, or name another server in COMITY_DATABASE_URL."
    )
