"""What a simulator is to the rest of the room: it answers calls, and it can be edited and counted."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import msgspec

from comity.sandbox.faults import FaultOrder
from comity.sandbox.wire import JsonObject, Request, Response


class Tally:
    """Counts calls and record writes since the start, so that a test can say "an echo causes no write"."""

    def __init__(self) -> None:
        """Start at nothing."""
        self.calls: Counter[str] = Counter()
        self.writes: dict[str, Counter[str]] = {"api": Counter(), "user": Counter()}

    def count_call(self, *, is_write: bool) -> None:
        """Count one call of the vendor's interface."""
        self.calls["total"] += 1
        self.calls["write" if is_write else "read"] += 1

    def count_write(self, origin: str, verb: str) -> None:
        """Count one record written: created, updated, unchanged, deleted, restored or merged."""
        self.writes[origin][verb] += 1

    def report(self) -> JsonObject:
        """Return the counts."""
        writes = {origin: {"records": sum(counter.values()), **counter} for origin, counter in self.writes.items()}
        return {"calls": {"total": 0, "read": 0, "write": 0, **self.calls}, "writes": writes}


class Simulator(Protocol):
    """A simulated vendor system."""

    tally: Tally

    def answer(self, request: Request) -> Response:
        """Answer one call of the vendor's interface."""
        ...

    def load(self, *, kind: str | None, rows: Iterable[Mapping[str, str]]) -> int:
        """Load old records straight into the state, without the checks of today; return their number."""
        ...

    def edit(self, *, kind: str, record_id: str | None, fields: JsonObject) -> str:
        """Edit (or, without an id, create) a record as a user of the system would; return its id."""
        ...

    def remove(self, *, kind: str, record_ids: list[str]) -> None:
        """Delete records as a user would."""
        ...

    def restore(self, *, kind: str, record_ids: list[str]) -> None:
        """Take records out of the recycle bin."""
        ...

    def merge(self, *, kind: str, survivor_id: str, loser_ids: list[str]) -> str:
        """Merge records as a user would; return the id of the record that lives on."""
        ...

    def find(self, *, kind: str, field: str, value: str) -> list[JsonObject]:
        """List records, deleted ones too, whose field holds the value."""
        ...

    def state(self) -> JsonObject:
        """Report how many records there are."""
        ...

    def disturb(self, order: FaultOrder) -> None:
        """Take the faults of an order that are not about single calls."""
        ...

    def register_webhook(self, *, url: str, event_kinds: list[str]) -> JsonObject:
        """Send changes to a URL from now on."""
        ...

    def close(self) -> None:
        """Stop what runs beside the calls; deliver what waits."""
        ...


class BadAdmin(Exception):
    """The admin call asks for something the simulator does not have."""


class AdminEdit(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Body of `/_sandbox/edit`."""

    object: str
    id: str | None = None
    fields: dict[str, Any] = msgspec.field(default_factory=dict[str, Any])


class AdminRecords(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Body of `/_sandbox/delete` and `/_sandbox/undelete`."""

    object: str
    ids: list[str]


class AdminMerge(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Body of `/_sandbox/merge`."""

    object: str
    survivor: str
    losers: list[str]


class AdminWebhook(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Body of `/_sandbox/webhook`."""

    url: str
    events: list[str] = msgspec.field(default_factory=list[str])
