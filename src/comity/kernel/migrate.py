"""Bring a database to the schema of this version.

Each room has `migrations/NNNN_what/up.sql` and `functions/*.sql` (`create or replace ...`). Functions and views are put
in again when they differ from those put in last, or when anything has changed that they may stand on. All of it is one
transaction, for one version of the code: the former one has ended by then. Where nothing is missing, nothing is locked.
"""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import LiteralString, cast

import msgspec
import psycopg

from comity.kernel import ownership
from comity.kernel.database import Database, Tx
from comity.kernel.errors import Unavailable

ROOM = "kernel"
LOCK_KEY = 7_202_611
LOCK_TIMEOUT: LiteralString = "set local lock_timeout = '10s'"


class MigrationBlocked(Unavailable):
    """A migration got no lock: a long transaction or another migration is running. Try again when it has ended."""


class SchemaMissing(Unavailable):
    """There is no schema of Comity in this database yet."""


class SchemaOutdated(Unavailable):
    """The schema of this database is not of this version."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One migration."""

    room: str
    name: str
    text: str


class Functions(msgspec.Struct, frozen=True, kw_only=True):
    """The functions and views of one room, and a digest of them and of all that they may stand on."""

    room: str
    texts: tuple[str, ...]
    digest: str


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """What a database lacks of this version."""

    steps: tuple[Step, ...]
    functions: tuple[Functions, ...]

    @property
    def names(self) -> list[str]:
        """Say what it is."""
        steps = [f"{step.room}/{step.name}" for step in self.steps]
        return [*steps, *(f"{each.room}/functions" for each in self.functions)]


def migrate(
    database: Database, *, rooms: Sequence[str], kept: Collection[str] = (), owner: Database | None = None
) -> list[str]:
    """Apply what is missing, room by room, upstream first. Returns the names of what was applied; repeatable.

    With an owner (the same database, as another role), the rooms kept are its own and the hub's role only works with
    them; what the hub had before is handed over. Raises MigrationBlocked when a lock is not to be had within the limit,
    OwnerMissing, OwnerUnsuitable; then nothing was changed.
    """
    kept = frozenset(kept if owner else ())
    # In a transaction of its own: one that has read the tables must not wait for whoever is changing them.
    with database.transaction() as tx:
        is_settled = owner is None or ownership.is_split(tx, rooms=rooms, kept=kept)
        if is_settled and not _find_missing(tx, rooms).names:
            return []
        hub = ownership.describe_session(tx)
    split = ownership.Split(role=hub.role, kept=kept)
    with (owner or database).transaction() as tx:
        try:
            tx.execute(LOCK_TIMEOUT)
            tx.execute("select pg_advisory_xact_lock(%(key)s)", {"key": LOCK_KEY})
            if owner is not None:
                ownership.require_owner(tx, hub=hub)
                split.hand_over(tx, rooms=rooms)
            missing = _find_missing(tx, rooms)
            _apply(tx, missing, split)
        except psycopg.errors.LockNotAvailable as error:
            raise MigrationBlocked from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise ownership.name_right_missing(error, has_owner=owner is not None) from error
    return missing.names


def _apply(tx: Tx, missing: Missing, split: ownership.Split) -> None:
    for step in missing.steps:
        with split.acting(tx, room=step.room):
            tx.execute(cast("LiteralString", step.text))
    # At the end, when the table is of this version.
    with split.acting(tx, room=ROOM):
        tx.execute(
            "insert into kernel.migration (room, name) select * from unnest(%(rooms)s::text[], %(names)s::text[])",
            {"rooms": [step.room for step in missing.steps], "names": [step.name for step in missing.steps]},
        )
    for functions in missing.functions:
        with split.acting(tx, room=functions.room):
            for text in functions.texts:
                tx.execute(cast("LiteralString", text))
        with split.acting(tx, room=ROOM):
            tx.execute(
                """
                insert into kernel.function_set (room, digest) values (%(room)s, %(digest)s)
                on conflict (room) do update set digest = excluded.digest, replaced_at = now()
                """,
                {"room": functions.room, "digest": functions.digest},
            )


def require_schema(database: Database, *, rooms: Sequence[str]) -> None:
    """Make sure the database has the schema of this version; changes and locks nothing.

    One that is further on is accepted, though nothing promises that this version works with it. Raises SchemaMissing,
    SchemaOutdated.
    """
    with database.transaction() as tx:
        if not _has_schema(tx):
            raise SchemaMissing(details={"remedy": "Run `comity apply` or `comity up`, which make it."})
        try:
            missing = _find_missing(tx, rooms).names
        except psycopg.errors.InsufficientPrivilege:  # All of it is the owner's still: the hub had no role of its own.
            missing = ["owner"]
    if missing:
        remedy = "Run `comity up` of this version, which brings it forward, or the version the hub was started with."
        raise SchemaOutdated(details={"missing": missing, "remedy": remedy})


def has_schema(database: Database) -> bool:
    """True when the database has a schema of any version."""
    with database.transaction() as tx:
        return _has_schema(tx)


def _has_schema(tx: Tx) -> bool:
    row = tx.execute(
        """
        select exists (
            select from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where (n.nspname, c.relname) = ('kernel', 'migration')
        )
        """
    ).fetchone()
    return bool(row and row[0])


def _find_missing(tx: Tx, rooms: Sequence[str]) -> Missing:
    steps, functions = list(_list_steps(rooms)), list(_list_functions(rooms))
    if not _has_schema(tx):
        return Missing(steps=tuple(steps), functions=tuple(functions))
    done = {(row[0], row[1]) for row in tx.execute("select room, name from kernel.migration")}
    digests = {row[0]: row[1] for row in tx.execute("select room, digest from kernel.function_set")}
    known = {(step.room, step.name) for step in steps}
    # A process of a former version that starts again must not put its functions over those of the newer one.
    is_ahead = any(room in rooms for room, _ in done - known)
    return Missing(
        steps=tuple(step for step in steps if (step.room, step.name) not in done),
        functions=() if is_ahead else tuple(each for each in functions if digests.get(each.room) != each.digest),
    )


def _list_steps(rooms: Sequence[str]) -> Iterator[Step]:
    for room in rooms:
        folder = files(f"comity.{room}") / "migrations"
        if not folder.is_dir():
            continue
        for migration in sorted(folder.iterdir(), key=lambda entry: entry.name):
            file = migration / "up.sql"
            if file.is_file():
                yield Step(room=room, name=migration.name, text=file.read_text(encoding="utf-8"))


def _list_functions(rooms: Sequence[str]) -> Iterator[Functions]:
    """Yield the functions of each room that has any.

    The digest goes on from room to room: a view stands on tables of its room and on views upstream, and goes with them
    when a migration has to drop them.
    """
    digest = hashlib.sha256()
    for room in rooms:
        for step in _list_steps([room]):
            digest.update(f"{room}/{step.name}\n".encode())
        folder: Traversable = files(f"comity.{room}") / "functions"
        if folder.is_dir():
            found = sorted(folder.iterdir(), key=lambda file: file.name)
            texts = tuple(file.read_text(encoding="utf-8") for file in found if file.name.endswith(".sql"))
            digest.update("\n".join(texts).encode())
            yield Functions(room=room, texts=texts, digest=digest.hexdigest())
