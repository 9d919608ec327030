"""What makes one state of a record unique: its content, and its stamp where the system gives one."""

import re
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, TypeVar

import msgspec

from comity.connect.types import CursorInvalid

SEEN_MAX = 5_000
_DIGEST_BYTES = 6
_MILLISECONDS_FROM = 100_000_000_000
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
_NUMBER = re.compile(r"\d{9,16}")

T = TypeVar("T")


def encode_payload(record: Any) -> bytes:
    """JSON with sorted keys, so that equal content gives equal bytes; without NUL, which no database text can hold."""
    encoded = msgspec.json.encode(record, order="sorted")
    return _NUL.sub(rb"\1", encoded) if b"\\u0000" in encoded else encoded


def content_hash(payload: bytes) -> str:
    """Ten characters that differ when the content differs (60 bits)."""
    return b64encode(blake2b(payload, digest_size=8).digest(), b"-_").decode()[:10]


def version_of(payload: bytes, stamp: str | None = None) -> str:
    """The version of a state: stamps have second resolution at some vendors, so the content goes with it."""
    return f"{stamp}.{content_hash(payload)}" if stamp else content_hash(payload)


def parse_stamp(value: Any) -> datetime | None:
    """Read a point in time as vendors write it: ISO 8601 with or without zone (then UTC), epoch seconds or ms.

    None for anything else; a stamp is information about a change, never a reason to refuse it.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = int(value)
    try:
        if isinstance(value, int | float):
            seconds = value / 1000 if value >= _MILLISECONDS_FROM else value
            return datetime.fromtimestamp(seconds, UTC)
        moment = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def encode_cursor(cursor: msgspec.Struct) -> str:
    """Write a cursor as text."""
    return msgspec.json.encode(cursor).decode()


def decode_cursor(text: str, kind: type[T]) -> T:
    """Read a cursor back. Raises `CursorInvalid`."""
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        message = f"The saved cursor cannot be read ({error}); reset it to read the stream from the beginning."
        raise CursorInvalid(message) from error


class Seen:
    """A compact memory of the states met lately, kept in a cursor so that an overlap is not handed on again.

    Six bytes a state (a false hit once in 2^48); full at `SEEN_MAX`, after which repeats are handed on, which is
    harmless since their version is known.
    """

    def __init__(self, text: str = "") -> None:
        """Take what a cursor kept."""
        raw = b64decode(text)
        self._digests = {raw[at : at + _DIGEST_BYTES] for at in range(0, len(raw), _DIGEST_BYTES)}

    def add(self, external_id: str, version: str) -> None:
        """Remember a state."""
        if len(self._digests) < SEEN_MAX:
            self._digests.add(_digest(external_id, version))

    def has(self, external_id: str, version: str) -> bool:
        """True when the state was met before."""
        return _digest(external_id, version) in self._digests

    def to_text(self) -> str:
        """What to keep in the cursor."""
        return b64encode(b"".join(sorted(self._digests))).decode()


def _digest(external_id: str, version: str) -> bytes:
    return blake2b(f"{external_id}\n{version}".encode(), digest_size=_DIGEST_BYTES).digest()
