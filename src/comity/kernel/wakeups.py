"""NOTIFY and LISTEN: they only wake workers up early; correctness never depends on them."""

import threading
from collections.abc import Sequence

import psycopg
from psycopg import sql as composed

from comity.kernel.database import Database, DatabaseUnavailable, Tx
from comity.kernel.sql import SqlFolder

_sql = SqlFolder(__package__)

RECONNECT_SECONDS = 0.5


def notify(tx: Tx, *, channel: str, payload: str = "") -> None:
    """Wake whoever listens on a channel once this transaction commits."""
    _sql.notify.execute(tx, channel=channel, payload=payload)


class Wakeups:
    """One connection that listens and sets events in this process. A lost connection wakes everybody once.

    The same connection shows that this process lives, by the advisory lock `presence` (see `leases.acquire`).
    """

    def __init__(self, *, database: Database, channels: Sequence[str], presence: int | None = None) -> None:
        """Listen on these channels after `start`."""
        self._wanted_presence = presence
        self._is_present = False
        self._database = database
        self._channels = list(channels)
        self._subscribers: dict[str, list[threading.Event]] = {channel: [] for channel in channels}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="wakeups", daemon=True)

    def subscribe(self, *channels: str) -> threading.Event:
        """Return an event that is set whenever something arrives on one of the channels."""
        event = threading.Event()
        for channel in channels:
            self._subscribers[channel].append(event)
        return event

    @property
    def presence(self) -> int | None:
        """The advisory lock that is held now; None while there is no connection."""
        return self._wanted_presence if self._is_present else None

    def start(self) -> None:
        """Begin to listen on a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and wake everybody so that they see it."""
        self._stopping.set()
        self._wake_all()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _wake_all(self) -> None:
        for events in self._subscribers.values():
            for event in events:
                event.set()

    def _listen(self) -> None:
        while not self._stopping.is_set():
            try:
                with self._database.connect() as connection:
                    for channel in self._channels:
                        connection.execute(composed.SQL("listen {}").format(composed.Identifier(channel)))
                    if self._wanted_presence is not None:
                        _sql.show_presence.execute(connection, presence=self._wanted_presence)
                        self._is_present = True
                    self._wake_all()
                    while not self._stopping.is_set():
                        for notification in connection.notifies(timeout=1.0, stop_after=1):
                            for event in self._subscribers.get(notification.channel, ()):
                                event.set()
            except (psycopg.OperationalError, DatabaseUnavailable):
                self._is_present = False
                self._wake_all()
                self._stopping.wait(RECONNECT_SECONDS)
