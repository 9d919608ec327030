"""Delivers events: batches of up to 100, signed, retried, on threads of their own so that no call waits."""

import base64
import hashlib
import heapq
import hmac
import http.client
import ssl
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from comity.sandbox.clock import ShiftedClock
from comity.sandbox.wire import JsonObject, encode

EVENTS_MAX = 100
ANSWER_SECONDS_MAX = 5.0
RETRIES_MAX = 10
WAITING_MAX = 1_000_000
DRAIN_SECONDS_MAX = 5.0


class Delivery(msgspec.Struct, order=True):
    """An event on its way, ordered by when it is due."""

    due_at: float
    number: int
    event: JsonObject = msgspec.field(default_factory=dict[str, object])


def sign(*, client_secret: str, method: str, uri: str, body: bytes, timestamp: str) -> str:
    """Return the v3 signature of a request."""
    source = method.encode() + uri.encode() + body + timestamp.encode()
    return base64.b64encode(hmac.new(client_secret.encode(), source, hashlib.sha256).digest()).decode()


class Deliveries:
    """The queue of events and the threads that post them to one target."""

    def __init__(
        self, *, clock: ShiftedClock, client_secret: str, ca_file: Path | None, retry_seconds: tuple[float, ...]
    ) -> None:
        """Start without a target; threads come with it."""
        self._clock = clock
        self._client_secret = client_secret
        self._tls = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
        self._retry_seconds = retry_seconds[:RETRIES_MAX]
        self._changed = threading.Condition()
        self._waiting: list[Delivery] = []
        self._sending = 0
        self._number = 0
        self._target = ""
        self._threads: list[threading.Thread] = []
        self._drain_until: float | None = None
        self.counts: Counter[str] = Counter()

    @property
    def target(self) -> str:
        """Where events go; empty when nowhere."""
        return self._target

    def set_target(self, url: str, *, concurrency: int) -> None:
        """Send events to this URL, with at most so many requests at a time. Raises ValueError for a bad URL."""
        parts = urlsplit(url)
        if url and (parts.scheme not in {"http", "https"} or not parts.hostname):
            raise ValueError(f"{url} is no http(s) URL.")
        with self._changed:
            self._target = url
            self._changed.notify_all()
            missing = max(0, min(concurrency, 10) - len(self._threads)) if url else 0
        for _ in range(missing):
            thread = threading.Thread(target=self._work, name="sandbox-webhooks", daemon=True)
            self._threads.append(thread)
            thread.start()

    def submit(self, events: list[JsonObject]) -> None:
        """Queue events; beyond a million waiting ones, the new are counted as lost."""
        with self._changed:
            now = time.monotonic()
            room = max(0, WAITING_MAX - len(self._waiting))
            for event in events[:room]:
                self._number += 1
                heapq.heappush(self._waiting, Delivery(now, self._number, event))
            self.counts["lost"] += len(events) - min(room, len(events))
            self.counts["events"] += len(events)
            self._changed.notify()

    def close(self) -> None:
        """Deliver what waits, for a few seconds at most, and end the threads."""
        with self._changed:
            self._drain_until = time.monotonic() + DRAIN_SECONDS_MAX
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(DRAIN_SECONDS_MAX + ANSWER_SECONDS_MAX)

    def report(self) -> JsonObject:
        """Count events, requests, deliveries, retries and losses."""
        with self._changed:
            return {
                "target": self._target, "waiting": len(self._waiting), "sending": self._sending,
                "events": 0, "requests": 0, "delivered": 0, "retried": 0, "lost": 0, **self.counts,
            }  # fmt: skip

    def _work(self) -> None:
        poster = _Poster(self._tls)
        try:
            while batch := self._take():
                self._deliver(poster, batch)
        finally:
            poster.close()

    def _take(self) -> list[Delivery]:
        """Wait for events that are due; an empty list ends the thread."""
        with self._changed:
            while True:
                now = time.monotonic()
                if self._drain_until is not None and (not self._target or not self._waiting or now > self._drain_until):
                    self.counts["lost"] += len(self._waiting)
                    self._waiting.clear()
                    return []
                is_ready = self._waiting and self._target and self._waiting[0].due_at <= now
                if is_ready:
                    break
                pause = max(self._waiting[0].due_at - now, 0.001) if self._waiting and self._target else None
                self._changed.wait(pause)
            batch: list[Delivery] = []
            while self._waiting and len(batch) < EVENTS_MAX and self._waiting[0].due_at <= now:
                batch.append(heapq.heappop(self._waiting))
            self._sending += len(batch)
            if self._waiting:
                self._changed.notify()
            return batch

    def _deliver(self, poster: "_Poster", batch: list[Delivery]) -> None:
        target = self._target
        body = encode([delivery.event for delivery in batch])
        timestamp = str(int(self._clock.now().timestamp() * 1000))
        signature = sign(client_secret=self._client_secret, method="POST", uri=target, body=body, timestamp=timestamp)
        status = poster.post(
            target,
            body,
            {
                "Content-Type": "application/json",
                "User-Agent": "HubSpot Connect 2.0 (sandbox)",
                "X-HubSpot-Signature-v3": signature,
                "X-HubSpot-Request-Timestamp": timestamp,
            },
        )
        with self._changed:
            self._sending -= len(batch)
            self.counts["requests"] += 1
            if 200 <= status < 300:
                self.counts["delivered"] += len(batch)
            else:
                self._retry(batch)
            self._changed.notify_all()

    def _retry(self, batch: list[Delivery]) -> None:
        now = time.monotonic()
        for delivery in batch:
            attempt: int = delivery.event["attemptNumber"]
            if attempt >= len(self._retry_seconds):
                self.counts["lost"] += 1
                continue
            self.counts["retried"] += 1
            pause: float = self._retry_seconds[attempt]
            # While draining there is no time for the full pauses.
            pause = min(pause, 0.2) if self._drain_until else pause
            event = {**delivery.event, "attemptNumber": attempt + 1}
            heapq.heappush(self._waiting, Delivery(now + pause, delivery.number, event))


class _Poster:
    """One kept connection to the target."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._origin = ("", "", 0)
        self._connection: http.client.HTTPConnection | None = None

    def post(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        """Post and return the status; 0 when there is no answer."""
        parts = urlsplit(url)
        origin = (parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
        if origin != self._origin:
            self.close()
            self._origin = origin
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        is_reused = self._connection is not None
        status = self._post_once(path, body, headers)
        # A kept connection may have been closed by the other side meanwhile: that is no failed attempt.
        return self._post_once(path, body, headers) if status == 0 and is_reused else status

    def _post_once(self, path: str, body: bytes, headers: dict[str, str]) -> int:
        scheme, host, port = self._origin
        try:
            if self._connection is None:
                self._connection = (
                    http.client.HTTPSConnection(host, port, timeout=ANSWER_SECONDS_MAX, context=self._tls)
                    if scheme == "https"
                    else http.client.HTTPConnection(host, port, timeout=ANSWER_SECONDS_MAX)
                )
            self._connection.request("POST", path, body=body, headers=headers)
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            return 0
        return answer.status

    def close(self) -> None:
        """Close the connection."""
        if self._connection:
            self._connection.close()
            self._connection = None
