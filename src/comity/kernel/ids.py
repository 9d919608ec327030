"""Identifiers and randomness are passed in: the only place that draws them."""

import random
import secrets
from datetime import datetime
from typing import Protocol
from uuid import UUID

UUID_BYTES = 16
RANDOM_BYTES = 10
"""What a UUID version 7 has of chance, some bits of it covered by version and variant."""


class Ids(Protocol):
    """Draws identifiers."""

    def uuid7(self, now: datetime) -> UUID:
        """Return a UUID version 7 (RFC 9562): milliseconds of `now`, then random bits."""
        ...

    def uuid7_bytes(self, now: datetime, count: int) -> list[bytes]:
        """Return so many UUIDs version 7 as their 16 bytes, in ascending order."""
        ...

    def token(self, bytes_count: int) -> str:
        """Return an unguessable token, URL-safe."""
        ...


class RandomIds:
    """Identifiers from the operating system's randomness."""

    def uuid7(self, now: datetime) -> UUID:
        """Return a UUID version 7 of this millisecond."""
        return _uuid7(now, secrets.randbits(74))

    def uuid7_bytes(self, now: datetime, count: int) -> list[bytes]:
        """Return UUIDs version 7 of this millisecond."""
        return _uuid7_bytes(now, secrets.token_bytes(count * RANDOM_BYTES))

    def token(self, bytes_count: int) -> str:
        """Return an unguessable token, URL-safe."""
        return secrets.token_urlsafe(bytes_count)


class SeededIds:
    """The same identifiers for the same seed, for tests and simulations. Not for secrets."""

    def __init__(self, seed: int) -> None:
        """Start the sequence of `seed`."""
        self._random = random.Random(seed)  # noqa: S311 - repeatable on purpose, never used for secrets.

    def uuid7(self, now: datetime) -> UUID:
        """Return the next UUID of the sequence, stamped with `now`."""
        return _uuid7(now, self._random.getrandbits(74))

    def uuid7_bytes(self, now: datetime, count: int) -> list[bytes]:
        """Return the next UUIDs of the sequence, stamped with `now`."""
        return _uuid7_bytes(now, self._random.randbytes(count * RANDOM_BYTES))

    def token(self, bytes_count: int) -> str:
        """Return the next token of the sequence."""
        return self._random.randbytes(bytes_count).hex()


def _milliseconds(now: datetime) -> int:
    return int(now.timestamp() * 1000) & ((1 << 48) - 1)


def _uuid7_bytes(now: datetime, random_bytes: bytes) -> list[bytes]:
    import numpy as np  # Only first loads draw so many that it matters.

    drawn = np.frombuffer(random_bytes, dtype=np.uint8).reshape(-1, RANDOM_BYTES)
    made = np.empty((len(drawn), UUID_BYTES), dtype=np.uint8)
    made[:, :6] = np.frombuffer(_milliseconds(now).to_bytes(6, "big"), dtype=np.uint8)
    made[:, 6:] = drawn
    made[:, 6] = 0x70 | drawn[:, 0] & 0x0F
    made[:, 8] = 0x80 | drawn[:, 2] & 0x3F
    high, low = made.view(">u8").T
    data = made[np.lexsort((low, high))].tobytes()
    return [data[at : at + UUID_BYTES] for at in range(0, len(data), UUID_BYTES)]


def _uuid7(now: datetime, random_bits: int) -> UUID:
    milliseconds = _milliseconds(now)
    high, low = random_bits >> 62, random_bits & ((1 << 62) - 1)
    return UUID(int=(milliseconds << 80) | (0x7 << 76) | (high << 64) | (0b10 << 62) | low)
