"""SOQL text. Names are checked and values escaped, so that no mapping can change a query's meaning."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from comity.connect.types import SettingsInvalid

URL_CHARS_MAX = 12_000
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*")


def name(text: str) -> str:
    """A field or object name, possibly through a relation (`Owner.Name`). Raises `SettingsInvalid`."""
    if not _NAME.fullmatch(text):
        raise SettingsInvalid(f"{text!r} is no Salesforce field or object name.")
    return text


def literal(value: str) -> str:
    """A text in quotes."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
    return f"'{escaped}'"


def moment(value: datetime) -> str:
    """A point in time as SOQL writes it: unquoted, UTC."""
    text = value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{value.microsecond // 1000:03d}Z" if value.microsecond else f"{text}Z"


def keyset(
    stream: str, fields: Sequence[str], *, stamp_field: str, after: tuple[datetime, str] | None, limit: int
) -> str:
    """The next rows by (stamp, id) after a place; an empty id means: from this stamp on, itself included."""
    text = f"SELECT {', '.join(map(name, fields))} FROM {name(stream)}"  # noqa: S608 - names checked, values escaped.
    stamp = name(stamp_field)
    if after is not None and after[1]:
        at = moment(after[0])
        text += f" WHERE ({stamp} = {at} AND Id > {literal(after[1])}) OR {stamp} > {at}"
    elif after is not None:
        text += f" WHERE {stamp} >= {moment(after[0])}"
    return f"{text} ORDER BY {stamp}, Id LIMIT {limit}"


def by_values(stream: str, fields: Sequence[str], *, field: str, values: Sequence[str]) -> list[str]:
    """Queries for all rows where a field has one of the values, each short enough for a URL."""
    head = f"SELECT {', '.join(map(name, fields))} FROM {name(stream)} WHERE {name(field)} IN ("  # noqa: S608 - as above.
    queries: list[str] = []
    part: list[str] = []
    length = len(quote(head))
    for value in dict.fromkeys(values):
        written = literal(value)
        if part and length + len(quote(written)) + 3 > URL_CHARS_MAX:
            queries.append(f"{head}{','.join(part)})")
            part, length = [], len(quote(head))
        part.append(written)
        length += len(quote(written)) + 3
    if part:
        queries.append(f"{head}{','.join(part)})")
    return queries
