"""Statements of access."""

from datetime import datetime

from comity.access.types import ApiKey
from comity.kernel.database import Tx
from comity.kernel.sql import SqlFolder

_sql = SqlFolder(__package__)


def add_api_key(tx: Tx, *, key: ApiKey) -> None:
    """Keep a new key."""
    _sql.add_api_key.execute(
        tx,
        prefix=key.prefix,
        secret_sha256=key.secret_sha256,
        name=key.name,
        scopes=key.scopes,
        created_at=key.created_at,
        expires_at=key.expires_at,
    )


def find_api_key(tx: Tx, *, prefix: str) -> ApiKey | None:
    """Return a key by its prefix."""
    return _sql.find_api_key.fetch_one(tx, ApiKey, prefix=prefix)


def list_api_keys(tx: Tx) -> list[ApiKey]:
    """Return all keys."""
    return _sql.list_api_keys.fetch(tx, ApiKey)


def revoke_api_key(tx: Tx, *, prefix: str, now: datetime) -> int:
    """Close a key."""
    return _sql.revoke_api_key.execute(tx, prefix=prefix, now=now)
