"""Who is calling, looked up once and remembered for a few seconds."""

import hashlib

from comity.access import api as access
from comity.access.types import Caller, KeyExpired, KeyMissing
from comity.interfaces.shared.flights import Flights
from comity.kernel.clock import Clock
from comity.kernel.database import Database
from comity.kernel.errors import ComityError, Forbidden

REMEMBER_SECONDS = 5.0
"""A revoked key may open its routes for this long."""

REMEMBERED_MAX = 10_000
TOKEN_LENGTH_MAX = 500


class Callers:
    """Checks API keys, on one event loop."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        """Collaborators of one process."""
        self._database = database
        self._clock = clock
        self._known: dict[bytes, tuple[float, Caller | ComityError]] = {}
        self._flights: Flights[bytes, Caller | ComityError] = Flights()

    async def require(self, authorization: str | None, scope: str) -> Caller:
        """Return the caller. Raises KeyMissing, KeyUnknown, KeyExpired, KeyRevoked or ScopeMissing."""
        digest = hashlib.blake2b((authorization or "").encode()).digest()
        until, found = self._known.get(digest, (0.0, None))
        if found is None or until < self._clock.monotonic():
            scheme, _, token = (authorization or "").partition(" ")
            token = token.strip()[:TOKEN_LENGTH_MAX]
            if scheme.lower() != "bearer" or not token:
                raise KeyMissing
            found = await self._flights.join(digest, lambda: self._look_up(token))
            if len(self._known) >= REMEMBERED_MAX:
                self._known.clear()
            self._known[digest] = (self._clock.monotonic() + REMEMBER_SECONDS, found)
        if isinstance(found, ComityError):
            raise type(found)(found.message, details=found.details)
        if found.expires_at <= self._clock.now():
            raise KeyExpired(details={"prefix": found.prefix, "expired_at": found.expires_at.isoformat()})
        access.require_scope(found, scope)
        return found

    def _look_up(self, token: str) -> Caller | ComityError:
        try:
            with self._database.transaction() as tx:
                return access.authenticate(tx, token=token, now=self._clock.now())
        except Forbidden as error:
            return error
