"""SQL lives in files, one statement a file; this loads them and runs them.

The text of a file is typed LiteralString, so the type checker refuses SQL built from strings everywhere else.
Text that is compiled at run time (profile rules, segments) goes through `execute_text`, from stores only.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, LiteralString, TypeVar, cast

from psycopg import sql as composed
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from comity.kernel.database import Tx
from comity.kernel.errors import Broken

T = TypeVar("T")

__all__ = ["Jsonb", "SqlFolder", "Statement", "copy_in", "execute_text", "fetch_text"]


class Statement:
    """One SQL file."""

    def __init__(self, name: str, text: LiteralString) -> None:
        """Keep the text; parameters are psycopg's `%(name)s`."""
        self.name = name
        self.text: LiteralString = text

    def execute(self, tx: Tx, **params: Any) -> int:
        """Run it and return the number of rows touched."""
        return tx.execute(self.text, params).rowcount

    def rows(self, tx: Tx, **params: Any) -> list[tuple[Any, ...]]:
        """Run it and return its rows as tuples."""
        return tx.execute(self.text, params).fetchall()

    def fetch(self, tx: Tx, row_type: type[T], **params: Any) -> list[T]:
        """Run it and return its rows as structs, columns matched by name."""
        with tx.cursor(row_factory=class_row(row_type)) as cursor:
            return cursor.execute(self.text, params).fetchall()

    def fetch_one(self, tx: Tx, row_type: type[T], **params: Any) -> T | None:
        """Run it and return its only row as a struct, or None."""
        with tx.cursor(row_factory=class_row(row_type)) as cursor:
            return cursor.execute(self.text, params).fetchone()

    def value(self, tx: Tx, **params: Any) -> Any:
        """Run it and return the first column of its first row; a statement without rows is a bug of ours."""
        row = tx.execute(self.text, params).fetchone()
        if row is None:
            raise Broken(f"Statement {self.name} returned no row.")
        return row[0]


class SqlFolder:
    """The `sql` folder of a package; each file is an attribute."""

    def __init__(self, package: str | None) -> None:
        """Take `__package__` of the store that owns the folder."""
        self._package = package or ""

    def __getattr__(self, name: str) -> Statement:
        """Load a file on first use."""
        if name.startswith("_"):
            raise AttributeError(name)
        return _load(self._package, name)


@cache
def _load(package: str, name: str) -> Statement:
    path = files(package) / "sql" / f"{name}.sql"
    if not path.is_file():
        raise Broken(f"There is no statement {name}.sql in {package}.sql.")
    return Statement(name, cast("LiteralString", path.read_text(encoding="utf-8")))


def copy_in(tx: Tx, *, table: str, columns: Sequence[str], types: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Append rows to a table by binary COPY and return how many; types are PostgreSQL type names, one per column."""
    target = composed.SQL("copy {} ({}) from stdin (format binary)").format(
        composed.Identifier(*table.split(".")), composed.SQL(", ").join(map(composed.Identifier, columns))
    )
    count = 0
    with tx.cursor() as cursor, cursor.copy(target) as copy:
        copy.set_types(types)
        for count, row in enumerate(rows, start=1):  # noqa: B007 - the count is the result.
            copy.write_row(row)
    return count


def execute_text(tx: Tx, text: str, params: dict[str, Any] | None = None) -> int:
    """Run compiled SQL and return the number of rows touched. From stores only; the text comes from a compiler."""
    return tx.execute(text.encode(), params).rowcount


def fetch_text(tx: Tx, text: str, params: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    """Run compiled SQL and return its rows. From stores only; the text comes from a compiler."""
    return tx.execute(text.encode(), params).fetchall()
