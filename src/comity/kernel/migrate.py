"""Bring a database to the schema of this version.

Each room has `migrations/NNNN_what/pre.sql` (works while the former code still runs) and, where needed, `post.sql`
(after it), and `functions/*.sql` (`create or replace ...`), which are run again every time.
"""

from collections.abc import Iterator, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import LiteralString, cast

import msgspec
import psycopg

from comity.kernel.database import Database, Tx
from comity.kernel.errors import Unavailable

LOCK_KEY = 7_202_611
LOCK_TIMEOUT: LiteralString = "set local lock_timeout = '10s'"


class MigrationBlocked(Unavailable):
    """A migration could not get its lock in time: long transactions are running. Try again when they have ended."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One file of one migration."""

    room: str
    name: str
    phase: str
    text: str


def migrate(database: Database, *, rooms: Sequence[str]) -> list[str]:
    """Apply what is missing, room by room, upstream first. Returns the names of the steps applied; repeatable.

    Raises MigrationBlocked when a lock is not to be had within the limit; then nothing of that step was changed.
    """
    applied: list[str] = []
    with database.transaction() as tx:
        tx.execute("select pg_advisory_xact_lock(%(key)s)", {"key": LOCK_KEY})
        tx.execute(LOCK_TIMEOUT)
        try:
            done = _list_done(tx)
            for step in _list_steps(rooms):
                if (step.room, step.name, step.phase) in done:
                    continue
                tx.execute(cast("LiteralString", step.text))
                tx.execute(
                    "insert into kernel.migration (room, name, phase) values (%(room)s, %(name)s, %(phase)s)",
                    {"room": step.room, "name": step.name, "phase": step.phase},
                )
                applied.append(f"{step.room}/{step.name}/{step.phase}")
            for room in rooms:
                for text in _list_functions(room):
                    tx.execute(cast("LiteralString", text))
        except psycopg.errors.LockNotAvailable as error:
            raise MigrationBlocked from error
    return applied


def _list_done(tx: Tx) -> set[tuple[str, str, str]]:
    exists = tx.execute("select to_regclass('kernel.migration') is not null").fetchone()
    if not exists or not exists[0]:
        return set()
    return {(row[0], row[1], row[2]) for row in tx.execute("select room, name, phase from kernel.migration")}


def _list_steps(rooms: Sequence[str]) -> Iterator[Step]:
    for room in rooms:
        folder = files(f"comity.{room}") / "migrations"
        if not folder.is_dir():
            continue
        for migration in sorted(folder.iterdir(), key=lambda entry: entry.name):
            for phase in ("pre", "post"):
                file = migration / f"{phase}.sql"
                if migration.is_dir() and file.is_file():
                    yield Step(room=room, name=migration.name, phase=phase, text=file.read_text(encoding="utf-8"))


def _list_functions(room: str) -> Iterator[str]:
    folder: Traversable = files(f"comity.{room}") / "functions"
    if folder.is_dir():
        for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
            if file.name.endswith(".sql"):
                yield file.read_text(encoding="utf-8")
