"""What crosses the door of access."""

from datetime import datetime
from enum import StrEnum

import msgspec

from comity.kernel.errors import Forbidden, Invalid, NotFound


class Scope(StrEnum):
    """What a key opens."""

    INTAKE = "intake"
    READ = "read"
    REDEEM = "redeem"
    ADJUST = "adjust"
    STEWARD = "steward"
    CONFIGURE = "configure"


class KeyMissing(Forbidden):
    """No API key was given; send it as `Authorization: Bearer <key>`."""


class KeyUnknown(Forbidden):
    """This API key is not known; check that it was copied whole."""


class KeyExpired(Forbidden):
    """This API key has expired; have a new one made with `comity keys create`."""


class KeyRevoked(Forbidden):
    """This API key was revoked; have a new one made with `comity keys create`."""


class ScopeMissing(Forbidden):
    """This API key does not open that; have one made with the scope that is named in the details."""


class ScopeUnknown(Invalid):
    """There is no such scope."""


class KeyNotFound(NotFound):
    """There is no API key with this prefix."""


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it is stored; the secret itself is nowhere."""

    prefix: str
    secret_sha256: bytes
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who is calling, and what is open to them."""

    prefix: str
    name: str
    scopes: frozenset[str]
    expires_at: datetime
