"""Callers who send events through thick and thin: whatever was not acknowledged is sent again with the same id."""

import json
import random
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from tests.scenario.books import Acknowledged, EventKey, Sale
from tests.scenario.rehearsal import PATIENCE_SECONDS

SYSTEM, STREAM = "shop", "order"
BULK_MAX = 40


class Loader:
    """Sends sales one by one and in bulk, known ones again, the same sale under another event id."""

    def __init__(self, *, url: str, key: str, customers: list[str], seed: int) -> None:
        self.acknowledged = Acknowledged()
        self.answers: dict[str, int] = {}
        self._random = random.Random(seed)
        self._customers = customers
        self._sold_at = (datetime.now(UTC) - timedelta(days=1)).isoformat()
        self._number = 0
        self._open: list[dict[str, Any]] = []
        self._known: list[dict[str, Any]] = []
        self._stopping = threading.Event()
        self._http = httpx2.Client(
            base_url=url, headers={"authorization": f"Bearer {key}"}, trust_env=False, timeout=30
        )
        self._thread = threading.Thread(target=self._run, name="loader", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def finish(self, *, seconds: float = PATIENCE_SECONDS) -> None:
        """Stop making new sales, and send what is open until all of it is acknowledged."""
        self._stopping.set()
        self._thread.join(seconds)
        until = time.monotonic() + seconds
        while self._open:
            assert time.monotonic() < until, f"{len(self._open)} events were never taken: {self.answers}"
            self._send(self._open[:BULK_MAX])
        self._http.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            chance = self._random.random()
            if self._open and chance < 0.5:
                events = self._random.sample(self._open, min(len(self._open), self._random.randint(1, BULK_MAX)))
            elif self._known and chance < 0.65:
                events = self._random.sample(self._known, min(len(self._known), self._random.randint(1, BULK_MAX)))
            else:
                events = [self._sale() for _ in range(self._random.choice([1, 1, 1, 5, BULK_MAX]))]
                self._open += events
            self._send(events)
            time.sleep(0.01)

    def _sale(self) -> dict[str, Any]:
        if self._known and self._random.random() < 0.1:  # The same sale, reported once more by somebody else.
            data = self._random.choice(self._known)["data"]
        else:
            self._number += 1
            data = {
                "number": f"n{self._number}",
                "sold_at": self._sold_at,
                "total": f"{self._random.randint(0, 5000) / 100:.2f}",
                "currency": "EUR",
                "customer": self._random.choice(self._customers),
            }
        event_id = f"{data['number']}-{self._random.getrandbits(40):x}"
        return {"system": SYSTEM, "stream": STREAM, "id": data["number"], "event_id": event_id, "data": data}

    def _send(self, events: list[dict[str, Any]]) -> None:
        try:
            if len(events) == 1:
                answer = self._http.post("/v1/events", json=events[0])
            else:
                lines = "\n".join(map(json.dumps, events))
                answer = self._http.post("/v1/events/bulk", content=lines.encode())
        except httpx2.TransportError as error:
            self._count(type(error).__name__)
            time.sleep(0.05)
            return
        self._count(str(answer.status_code))
        if answer.status_code == 202:
            if len(events) > 1:
                assert answer.json()["rejected"] == [], answer.text
            self._note(events)
        else:
            assert answer.status_code in {429, 500, 502, 503, 504}, answer.text
            time.sleep(0.05)

    def _note(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            key: EventKey = (SYSTEM, STREAM, event["id"], event["event_id"])
            if key not in self.acknowledged.events:
                self._known.append(event)
            self.acknowledged.events.add(key)
            data = event["data"]
            amount_minor = int(data["total"].replace(".", ""))
            self.acknowledged.sales[event["id"]] = Sale(event["id"], amount_minor, data["customer"])
        taken = {event["event_id"] for event in events}
        self._open = [event for event in self._open if event["event_id"] not in taken]

    def _count(self, answer: str) -> None:
        self.answers[answer] = self.answers.get(answer, 0) + 1


class Editor:
    """Users of the systems, who edit their records whatever happens to the hub."""

    def __init__(self, *, places: list[tuple[Any, str, str, str]], seed: int, pause_seconds: float = 0.15) -> None:
        """`places` are (simulated system, object, record id, the field with the city)."""
        self._places = places
        self._random = random.Random(seed)
        self._pause_seconds = pause_seconds
        self.edit_count = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="editor", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def finish(self) -> None:
        self._stopping.set()
        self._thread.join(PATIENCE_SECONDS)

    def _run(self) -> None:
        while not self._stopping.wait(self._pause_seconds):
            system, kind, record_id, field = self._random.choice(self._places)
            self.edit_count += 1
            system.edit(kind, record_id, **{field: f"Town {self.edit_count}"})
