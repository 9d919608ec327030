"""A whole hub on real parts: simulated systems over HTTP, web and worker processes, a database of its own."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from weakref import WeakSet

import httpx2

from comity import wiring
from comity.access import api as access
from comity.definitions import api as definitions
from comity.kernel.clock import SystemClock
from comity.kernel.database import Database
from comity.kernel.errors import Unavailable
from comity.kernel.ids import RandomIds
from comity.outbox import api as outbox
from comity.sandbox.api import Sandbox
from comity.settings import Settings
from comity.sync import api as sync

T = TypeVar("T")

SCOPES = ["intake", "read", "redeem", "adjust", "steward", "configure"]


PATIENCE_SECONDS = 120.0
"""How long a test waits for what takes a second or two: a machine may be slow, and busy with something else."""


def eventually(
    check: Callable[[], T], *, seconds: float = PATIENCE_SECONDS, what: str = "", pause_seconds: float = 0.02
) -> T:
    """Return the first true answer of `check`; fail when none comes in time, and say how the hubs are then."""
    until = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() >= until:
            told = "\n".join(each.tell() for each in Rehearsal.started)
            raise AssertionError(f"did not happen within {seconds} s: {what or check}\n{told}")
        time.sleep(pause_seconds)


def free_port() -> int:
    """Return a port nobody listens on, below those that the system gives to whoever connects meanwhile."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def put_in_force(hub: wiring.Hub, folder: Path, *, removes: bool = False) -> sync.ApplyEffects:
    """Apply a project directory; documents that are not in it any more go only when `removes` says so."""
    loaded = definitions.read_project(folder)
    problems = definitions.validate(loaded, checkers=wiring.CHECKERS)
    assert not problems, "\n".join(map(str, problems))
    with hub.database.transaction() as tx:
        plan = sync.plan_documents(tx, documents=loaded.documents)
        return sync.apply_documents(
            tx,
            plan=plan,
            author="test",
            now=hub.clock.now(),
            checkers=wiring.CHECKERS,
            is_removal_allowed=removes,
        )


class Simulated:
    """A simulated system as its users and the test see it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._http = httpx2.Client(base_url=sandbox.url, trust_env=False, timeout=30)

    def close(self) -> None:
        self._http.close()

    def edit(self, object_name: str, record_id: str | None, **fields: Any) -> dict[str, Any]:
        body = {"object": object_name, "fields": fields}
        if record_id is not None:
            body["id"] = record_id
        answer = self._http.post("/_sandbox/edit", json=body)
        assert answer.status_code in {200, 201}, answer.text
        return answer.json()

    def find(self, object_name: str, field: str, value: str) -> list[dict[str, Any]]:
        answer = self._http.get("/_sandbox/find", params={"object": object_name, "field": field, "value": value})
        assert answer.status_code == 200, answer.text
        return [record["fields"] for record in answer.json()["records"]]

    def state(self) -> dict[str, Any]:
        return self._http.get("/_sandbox/state").json()

    def delete(self, object_name: str, *record_ids: str) -> None:
        self.post("/_sandbox/delete", {"object": object_name, "ids": list(record_ids)})

    def undelete(self, object_name: str, *record_ids: str) -> None:
        self.post("/_sandbox/undelete", {"object": object_name, "ids": list(record_ids)})

    def merge(self, object_name: str, survivor: str, *losers: str) -> str:
        return self.post("/_sandbox/merge", {"object": object_name, "survivor": survivor, "losers": list(losers)})["id"]

    def fail(self, **rule: Any) -> None:
        """Spoil the next calls; see the sandbox's faults."""
        self.post("/_sandbox/faults", {"rules": [rule]})

    def disturb(self, **order: Any) -> None:
        """Ask for faults that are not about single calls."""
        self.post("/_sandbox/faults", order)

    def heal(self) -> None:
        """Forget all faults."""
        assert self._http.delete("/_sandbox/faults").status_code == 200

    def post(self, path: str, body: Any) -> Any:
        answer = self._http.post(path, json=body)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None


BUSY = """
select format('%s %s %s %s since %s: %s', pid, datname, state, wait_event, xact_start, left(query, 100))
from pg_stat_activity where state <> 'idle' and pid <> pg_backend_pid()
"""
TOLD_LINES_MAX = 300


class Rehearsal:
    """Web and worker of one hub; `kill` and `start` as often as a test likes."""

    started: ClassVar[WeakSet["Rehearsal"]] = WeakSet()

    def __init__(self, *, database: Database, folder: Path) -> None:
        self.database = database
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._logs: list[Any] = []
        clock = SystemClock()
        settings = Settings(database_url=database.dsn, project_dir=folder, port=self.port)
        self.hub = wiring.Hub(database=database, settings=settings, clock=clock, ids=RandomIds(), server=None)
        with database.transaction() as tx:
            self.key = access.create_api_key(
                tx,
                name="test",
                scopes=SCOPES,
                expires_at=clock.now() + timedelta(days=1),
                now=clock.now(),
                ids=self.hub.ids,
            )
        self.http = httpx2.Client(
            base_url=self.url, headers={"authorization": f"Bearer {self.key}"}, trust_env=False, timeout=30
        )

    def write(self, **files: str) -> None:
        """Write files of the project; names without suffix."""
        for name, text in files.items():
            (self.folder / f"{name}.yaml").write_text(text, encoding="utf-8")

    def apply(self, *, removes: bool = False) -> sync.ApplyEffects:
        """Put the project directory in force."""
        return put_in_force(self.hub, self.folder, removes=removes)

    def is_running(self, name: str) -> bool:
        """True while a process was started and has not ended."""
        process = self._running.get(name)
        return process is not None and process.poll() is None

    def wait_for_answers(self) -> None:
        """Wait until the web answers."""
        eventually(self._answers, what="the web process answers")

    def start(self, *names: str, waits: bool = True) -> None:
        """Start web and worker, or the one named, and wait until the web answers."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("COMITY_")}
        environment |= {
            "COMITY_DATABASE_URL": self.database.dsn,
            "COMITY_PROJECT_DIR": str(self.folder),
            "COMITY_PORT": str(self.port),
            "COMITY_LOG_LEVEL": "info",
            "PYTHONFAULTHANDLER": "1",
        }
        Rehearsal.started.add(self)
        for name in names or ("rest", "worker"):
            log = (self.folder / f"{name}.log").open("ab")
            self._logs.append(log)
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", f"comity.interfaces.{name}"], env=environment, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        if waits and "rest" in (names or ("rest",)):
            self.wait_for_answers()

    def kill(self, *names: str) -> None:
        """Kill -9 web and worker, or the one named, with their children."""
        for name in names or tuple(self._running):
            process = self._running.pop(name)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=PATIENCE_SECONDS)

    def tell(self) -> str:
        """Say how the processes are, what the database does, and, for a worker that runs, where its threads are.

        For that it is ended and started anew.
        """
        try:
            with self.database.transaction() as tx:
                told = [row[0] for row in tx.execute(BUSY).fetchall()]
        except Unavailable as error:
            told = [str(error)]
        for name in tuple(self._running):
            ended = self._running[name].poll()
            told.append(f"{name}: {'runs' if ended is None else f'ended with {ended}'}; its log ends so:")
            if name == "worker" and ended is None:
                process = self._running.pop(name)
                process.send_signal(signal.SIGABRT)
                process.wait(timeout=PATIENCE_SECONDS)
                self.start(name)
            told += (self.folder / f"{name}.log").read_text(errors="replace").splitlines()[-TOLD_LINES_MAX:]
        return "\n".join(told)

    def stop(self) -> None:
        """End everything, politely first."""
        Rehearsal.started.discard(self)
        for process in self._running.values():
            process.terminate()
        for name, process in self._running.items():
            try:
                process.wait(timeout=PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise AssertionError(f"{name} did not end by itself") from None
        self._running.clear()
        for log in self._logs:
            log.close()
        self.http.close()
        self.hub.close()

    def read_log(self, name: str) -> str:
        """Return what a process has said."""
        path = self.folder / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def status(self) -> dict[str, Any]:
        """Return /v1/status."""
        return self.http.get("/v1/status").json()

    def is_settled(self) -> bool:
        """True when nothing waits: no change to unify, no event to react to, nobody stale."""
        with self.database.transaction() as tx:
            row = tx.execute(
                """
                select
                    (select count(*) from inbox.change c
                     where (c.xid, c.change_id) > (select coalesce(max(r.xid), '0'), coalesce(max(r.id), 0)
                                                   from kernel.reader r where r.name = 'unify')),
                    (select count(*) from sync.hint)
                """
            ).fetchone()
            behind = [each for each in wiring.REACTIONS if sync.is_behind(tx, reaction=each)]
            marks = outbox.count_stale(tx, systems=self.hub.runtimes.get(tx).written_systems, now=self.hub.clock.now())
        return row == (0, 0) and not behind and not any(each.waiting_count or each.unread_count for each in marks)

    def settle(self) -> None:
        """Wait until nothing waits that any system has said by now, and until its own writes were read back."""
        for _ in range(2):
            self.wait_for_reads()
            eventually(self.is_settled, seconds=300, what="the hub has settled", pause_seconds=0.1)

    def wait_for_reads(self) -> None:
        """Wait until every stream that is polled each second was read once more, from its beginning.

        The read that ends first may have begun before.
        """
        for _ in range(2):
            known = self._list_reads()
            eventually(
                lambda: all(at != known.get(name) for name, at in self._list_reads().items()),  # noqa: B023 - now.
                seconds=300,
                what="every system is read",
                pause_seconds=0.1,
            )

    def _list_reads(self) -> dict[str, Any]:
        """When each stream that is polled each second was last read."""
        with self.database.transaction() as tx:
            names = [f"pull:{system}:{stream}" for system, stream in self.hub.runtimes.get(tx).streams]
            return dict(
                tx.execute(
                    "select name, last_at from kernel.schedule where name = any(%s) and cadence = '1s'", (names,)
                ).fetchall()
            )

    def _answers(self) -> bool:
        process = self._running["rest"]
        assert process.poll() is None, self.read_log("rest")[-2000:]
        try:
            return self.http.get("/health").status_code == 200
        except httpx2.TransportError:
            return False
