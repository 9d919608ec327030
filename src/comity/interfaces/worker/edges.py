"""Per system: a loop that reads and a loop that delivers. A dead system stops only its own two."""

from datetime import datetime

from comity import wiring
from comity.connect.types import CallFailed, Connector, ErrorClass, SettingsInvalid
from comity.definitions.types import SystemSpec
from comity.interfaces.worker.flow import Holder, LeaseKeeper
from comity.interfaces.worker.loop import AT_ONCE, Patience
from comity.kernel import leases, schedules
from comity.kernel.leases import Lease
from comity.kernel.telemetry import get_logger
from comity.outbox import api as outbox
from comity.sync import api as sync
from comity.systems import api as systems
from comity.systems.types import SystemState

log = get_logger()


class SystemEdge:
    """What the two loops of one system share: its connector as configured now, and whether it may be called."""

    def __init__(self, *, hub: wiring.Hub, system: str, holder: Holder) -> None:
        """Nothing is opened before the first step."""
        self._hub = hub
        self.system = system
        self._reading = LeaseKeeper(hub=hub, name=f"read:{system}", holder=holder)
        self._delivering = LeaseKeeper(hub=hub, name=f"deliver:{system}", holder=holder)
        self._patience = Patience()
        self._deliverer = sync.Deliverer(database=hub.database, clock=hub.clock, system=system)

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
        try:
            return state, runtime, spec, self._hub.get_connector(self.system, spec)
        except SettingsInvalid as error:  # A secret that is not there (yet) is the system's trouble, not ours.
            self._note_unusable(error, state)
            return None

    def read_step(self) -> float | None:
        """Follow hints, then pull the streams that are due."""
        return self._reading.run(self._read)

    def _read(self, lease: Lease) -> float | None:
        found = self.find_state()
        if found is None:
            return None
        state, runtime, _, connector = found
        puller = sync.Puller(
            database=self._hub.database, clock=self._hub.clock, system=self.system, connector=connector, lease=lease
        )
        streams = [stream for (name, _), stream in sorted(runtime.streams.items()) if name == self.system]
        try:
            followed = puller.follow_hints(streams)
            for schedule in self._list_schedules():
                stream = runtime.streams.get((self.system, schedule.name.rpartition(":")[2]))
                if schedule.next_at > self._hub.clock.now():
                    continue
                if stream is not None:
                    puller.pull(stream)
                with self._hub.database.transaction() as tx:
                    schedules.finish(tx, schedule=schedule, now=self._hub.clock.now())
        except CallFailed as error:
            log.warning("read_failed", system=self.system, cause=error.message, kind=error.error_class.value)
            puller.note_failure(error, failures_in_row=state.failures_in_row)
            self._look_for_new_secrets(error)
            return None
        return AT_ONCE if followed else self._seconds_until(self._next_pull())

    def deliver_step(self) -> float | None:
        """Take what happened into the marks, and deliver one batch."""
        return self._delivering.run(self._deliver)

    def _deliver(self, lease: Lease) -> float | None:
        if self._take_changes(lease):
            waits = self._patience.pause()
        else:
            self._patience.forget()
            waits = None
        pause = self._deliver_batch(lease)
        return pause if waits is None or (pause is not None and pause < waits) else waits

    def _take_changes(self, lease: Lease) -> bool:
        """Return whether more stands in the log; also of a system that is left alone, so that the log can be short."""
        with leases.held(self._hub.database, lease=lease) as tx:
            is_written = bool(self._hub.runtimes.get(tx).written_streams(self.system))
            return is_written and outbox.take_changes(tx, system=self.system, now=self._hub.clock.now())

    def _deliver_batch(self, lease: Lease) -> float | None:
        found = self.find_state()
        if found is None:
            return None
        _, runtime, spec, connector = found
        try:
            books = self._deliverer.deliver(runtime, connector, lease=lease, batch_max=spec.deliver.batch_max)
        except CallFailed as error:
            log.warning("delivery_failed", system=self.system, cause=error.message, kind=error.error_class.value)
            self._look_for_new_secrets(error)
            return None
        if books.read_count > books.filtered_count:
            return AT_ONCE
        with self._hub.database.transaction() as tx:
            return self._seconds_until(outbox.find_next_due(tx, system=self.system))

    def close(self) -> None:
        """Let the leases go."""
        self._reading.drop()
        self._delivering.drop()

    def _look_for_new_secrets(self, error: CallFailed) -> None:
        if error.error_class in {ErrorClass.AUTH_EXPIRED, ErrorClass.FORBIDDEN}:
            self._hub.forget_connector(self.system)

    def _note_unusable(self, error: SettingsInvalid, state: SystemState) -> None:
        log.warning("system_unusable", system=self.system, cause=error.message)
        with self._hub.database.transaction() as tx:
            systems.note_failure(
                tx,
                system=self.system,
                is_write=False,
                message=error.message,
                failures_in_row=state.failures_in_row,
                retry_after_seconds=None,
                now=self._hub.clock.now(),
            )

    def _list_schedules(self) -> list[schedules.Schedule]:
        with self._hub.database.transaction() as tx:
            return schedules.list_schedules(tx, prefix=f"pull:{self.system}:")

    def _next_pull(self) -> datetime | None:
        return min((schedule.next_at for schedule in self._list_schedules()), default=None)

    def _seconds_until(self, moment: datetime | None) -> float | None:
        if moment is None:
            return None
        return max(AT_ONCE, (moment - self._hub.clock.now()).total_seconds())
