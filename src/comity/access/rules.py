"""Pure decisions about API keys.

A key reads `cmty_<prefix>_<secret>`: the prefix finds the row and may be logged; of the secret only a SHA-256 is
kept. The secret has 256 bits of randomness, so a fast hash is enough (no dictionary can reach it).
"""

import hashlib
import hmac
from datetime import datetime

from comity.access.types import ApiKey, Caller, KeyExpired, KeyRevoked, KeyUnknown, ScopeMissing

KEY_MARK = "cmty"


def hash_secret(secret: str) -> bytes:
    """Return what is stored of a secret."""
    return hashlib.sha256(secret.encode()).digest()


def split_token(token: str) -> tuple[str, str]:
    """Return prefix and secret of a key. Raises KeyUnknown for anything that is not a key of ours."""
    parts = token.split("_", 2)
    if len(parts) != 3 or parts[0] != KEY_MARK:
        raise KeyUnknown
    return parts[1], parts[2]


def check_key(key: ApiKey | None, *, secret: str, now: datetime) -> Caller:
    """Return who a key stands for. Raises KeyUnknown, KeyRevoked or KeyExpired."""
    if key is None or not hmac.compare_digest(key.secret_sha256, hash_secret(secret)):
        raise KeyUnknown
    if key.revoked_at is not None:
        raise KeyRevoked(details={"prefix": key.prefix, "revoked_at": key.revoked_at.isoformat()})
    if key.expires_at <= now:
        raise KeyExpired(details={"prefix": key.prefix, "expired_at": key.expires_at.isoformat()})
    return Caller(prefix=key.prefix, name=key.name, scopes=frozenset(key.scopes), expires_at=key.expires_at)


def require_scope(caller: Caller, scope: str) -> None:
    """Raise ScopeMissing unless the caller's key opens this."""
    if scope not in caller.scopes:
        raise ScopeMissing(details={"needed": scope, "has": sorted(caller.scopes)})
