"""One call for all who ask for the same thing at the same time."""

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")


class Flights(Generic[Key, Answer]):
    """Runs a blocking function on a thread, once for everybody who waits for the same key; on one event loop."""

    def __init__(self) -> None:
        """Nothing is under way."""
        self._flying: dict[Key, asyncio.Future[Answer]] = {}

    def is_flying(self, key: Key) -> bool:
        """True when somebody is asking already."""
        return key in self._flying

    async def join(self, key: Key, work: Callable[[], Answer]) -> Answer:
        """Return (or raise) what the work under way for this key does; start it when there is none.

        Somebody who stops waiting does not end it for the others.
        """
        flight = self._flying.get(key)
        if flight is None:
            flight = asyncio.ensure_future(asyncio.to_thread(work))
            self._flying[key] = flight
            flight.add_done_callback(lambda done: self._land(key, done))
        return await asyncio.shield(flight)

    def _land(self, key: Key, flight: asyncio.Future[Answer]) -> None:
        self._flying.pop(key, None)
        if not flight.cancelled():
            flight.exception()  # Looked at, so that nothing is said of an error nobody waits for any more.
