"""The door of access."""

from collections.abc import Sequence
from datetime import datetime

from comity.access import rules, store
from comity.access.types import ApiKey, Caller, KeyNotFound, Scope, ScopeUnknown
from comity.kernel.database import Tx
from comity.kernel.ids import Ids

__all__ = ["authenticate", "create_api_key", "list_api_keys", "require_scope", "revoke_api_key"]

require_scope = rules.require_scope


def create_api_key(tx: Tx, *, name: str, scopes: Sequence[str], expires_at: datetime, now: datetime, ids: Ids) -> str:
    """Make a key and return it; it is shown this once. Raises ScopeUnknown."""
    unknown = sorted(set(scopes) - set(Scope))
    if unknown:
        raise ScopeUnknown(details={"unknown": unknown, "known": sorted(Scope)})
    prefix = ids.token(9).replace("_", "").replace("-", "").lower()[:10]
    secret = ids.token(32)
    store.add_api_key(
        tx,
        key=ApiKey(
            prefix=prefix,
            secret_sha256=rules.hash_secret(secret),
            name=name,
            scopes=sorted(set(scopes)),
            created_at=now,
            expires_at=expires_at,
            revoked_at=None,
        ),
    )
    return f"{rules.KEY_MARK}_{prefix}_{secret}"


def authenticate(tx: Tx, *, token: str, now: datetime) -> Caller:
    """Return who is calling. Raises KeyUnknown, KeyRevoked or KeyExpired."""
    prefix, secret = rules.split_token(token)
    return rules.check_key(store.find_api_key(tx, prefix=prefix), secret=secret, now=now)


def list_api_keys(tx: Tx) -> list[ApiKey]:
    """Return all keys, newest first."""
    return store.list_api_keys(tx)


def revoke_api_key(tx: Tx, *, prefix: str, now: datetime) -> None:
    """Close a key; repeating is harmless. Raises KeyNotFound."""
    if store.revoke_api_key(tx, prefix=prefix, now=now) == 0:
        raise KeyNotFound(details={"prefix": prefix})
