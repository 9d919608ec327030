"""What the chapters share: the stage, the screen, the data, and how long things may take."""

import time
from collections.abc import Callable, Sequence
from uuid import UUID

import msgspec

from comity.identity.types import RecordKey
from comity.interfaces.cli.demo.cast import CRMS, Crm
from comity.interfaces.cli.demo.people import CrmRecord
from comity.interfaces.cli.demo.purchases import Order, Sale
from comity.interfaces.cli.demo.screen import Screen
from comity.interfaces.cli.demo.stage import Stage
from comity.interfaces.cli.demo.waiting import wait_for
from comity.interfaces.shared.views import StatusView

SETTLE_SECONDS_MAX = 150.0
SETTLE_SECONDS_BOUND = 900.0
"""A hub that is slow, but moves, is waited for longer: up to this."""
LIVE_SECONDS_MAX = 20.0
LIVE_SECONDS_CLAIMED = 5.0
"""Here the CRMs are played on the same machine and polled every second; the benchmarks hold the hub to less."""


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A person with one record in every CRM."""

    global_id: UUID
    records: dict[str, str]
    """System -> external id."""


class Story(msgspec.Struct, kw_only=True):
    """The demo under way."""

    stage: Stage
    screen: Screen
    records: list[CrmRecord]
    sales: list[Sale]
    sent: list[Order] = []
    """Orders the hub was given so far, each once."""
    people: list[Person] = []
    """People with a record in every CRM, for the live chapters."""

    def list_records(self, *crms: Crm) -> list[CrmRecord]:
        """Return the records of these CRMs."""
        return [record for record in self.records if record.crm in crms]

    def settle(self, label: str) -> StatusView:
        """Wait until the hub has nothing left to do."""
        with self.screen.show_progress(label) as advance:
            return self.stage.hub.settle(
                still_seconds_max=SETTLE_SECONDS_MAX, seconds_max=SETTLE_SECONDS_BOUND, advance=advance
            )

    def wait_shown(
        self, person: Person, fields_of: Callable[[Crm], dict[str, str]], crms: Sequence[Crm] = CRMS, *, since: float
    ) -> dict[str, float]:
        """Wait until these CRMs show the values they should; return the seconds each took from a moment on.

        Raises TookTooLong.
        """
        took: dict[str, float] = {}

        def look() -> bool:
            for crm in crms:
                if crm.title not in took:
                    shown = self.stage.crm(crm).show(person.records[crm.system])
                    if fields_of(crm).items() <= shown.items():
                        took[crm.title] = time.monotonic() - since
            return len(took) == len(crms)

        where = " and ".join(crm.title for crm in crms)
        wait_for(look, what=f"{fields_of(crms[0])} shows in {where}", seconds_max=LIVE_SECONDS_MAX)
        return took

    def claim_times(self, name: str, took: dict[str, float]) -> None:
        """Claim that something arrived in time."""
        slowest = max(took.values())
        self.screen.figures[name.replace(" ", "_")] = round(slowest, 3)
        self.screen.claim(
            name,
            f"{slowest:.2f} s",
            needed=f"{LIVE_SECONDS_CLAIMED:g} s at most",
            is_ok=slowest <= LIVE_SECONDS_CLAIMED,
            detail=", ".join(f"{title} {seconds:.2f} s" for title, seconds in took.items()),
        )


def to_key(record: CrmRecord) -> RecordKey:
    """Return the hub's name of a CRM record."""
    return RecordKey(record.crm.system, record.crm.stream, record.external_id)
