"""Per system: a loop that reads and a loop that delivers. A dead system stops only its own two."""

from datetime import datetime

from comity import wiring
from comity.connect.types import CallFailed, Connector
from comity.definitions.types import SystemSpec
from comity.kernel import schedules
from comity.kernel.telemetry import get_logger
from comity.sync import api as sync
from comity.systems import api as systems
from comity.systems.types import SystemState

log = get_logger()


class SystemEdge:
    """What the two loops of one system share: its connector as configured now, and whether it may be called."""

    def __init__(self, *, hub: wiring.Hub, system: str) -> None:
        """Nothing is opened before the first step."""
        self._hub = hub
        self.system = system

    def find_state(self) -> tuple[SystemState, sync.Runtime, SystemSpec, Connector] | None:
        """Return the system as it is to be worked with now; None while it is paused, removed or left alone."""
        with self._hub.database.transaction() as tx:
            runtime = self._hub.runtimes.get(tx)
            state = next((each for each in systems.list_systems(tx) if each.system == self.system), None)
        spec = runtime.systems.get(self.system)
        if state is None or spec is None or state.state != "running":
            return None
        if state.blocked_until is not None and state.blocked_until > self._hub.clock.now():
            return None
        return state, runtime, spec, self._hub.get_connector(self.system, spec)

    def read_step(self) -> bool:
        """Follow hints, then pull the streams that are due."""
        found = self.find_state()
        if found is None:
            return False
        state, runtime, _, connector = found
        puller = sync.Puller(
            database=self._hub.database, clock=self._hub.clock, system=self.system, connector=connector
        )
        streams = [stream for (name, _), stream in sorted(runtime.streams.items()) if name == self.system]
        try:
            followed = puller.follow_hints(streams)
            for schedule in self._list_due(self._hub.clock.now()):
                stream = runtime.streams.get((self.system, schedule.name.rpartition(":")[2]))
                if stream is not None:
                    puller.pull(stream)
                with self._hub.database.transaction() as tx:
                    schedules.finish(tx, schedule=schedule, now=self._hub.clock.now())
        except CallFailed as error:
            log.warning("read_failed", system=self.system, cause=error.message, kind=error.error_class.value)
            puller.note_failure(error, failures_in_row=state.failures_in_row)
            return False
        return followed > 0

    def deliver_step(self) -> bool:
        """Deliver one batch."""
        found = self.find_state()
        if found is None:
            return False
        _, runtime, spec, connector = found
        deliverer = sync.Deliverer(
            database=self._hub.database,
            clock=self._hub.clock,
            system=self.system,
            connector=connector,
            match=runtime.match,
        )
        try:
            books = deliverer.deliver(runtime, batch_max=spec.deliver.batch_max)
        except CallFailed as error:
            log.warning("delivery_failed", system=self.system, cause=error.message, kind=error.error_class.value)
            return False
        return books.read_count > books.filtered_count

    def _list_due(self, now: datetime) -> list[schedules.Schedule]:
        with self._hub.database.transaction() as tx:
            listed = schedules.list_schedules(tx, prefix=f"pull:{self.system}:")
        return [schedule for schedule in listed if schedule.next_at <= now]
