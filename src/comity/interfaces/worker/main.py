"""The worker process: `python -m comity.interfaces.worker`."""

import os
import signal
import sys
import threading
from types import FrameType

from comity import wiring
from comity.inbox.api import INBOX_CHANNEL
from comity.interfaces.shared.lifetime import end_with_starter
from comity.interfaces.worker.edges import SystemEdge
from comity.interfaces.worker.flow import Holder, LeaseKeeper, UnifyLoop, build_reaction_step
from comity.interfaces.worker.housekeeping import Housekeeping
from comity.interfaces.worker.loop import Loop
from comity.kernel import leases
from comity.kernel.errors import Unavailable
from comity.kernel.events import EVENTS_CHANNEL
from comity.kernel.telemetry import configure, get_logger
from comity.kernel.wakeups import Wakeups
from comity.ledger import api as ledger
from comity.outbox.api import OUTBOX_CHANNEL
from comity.settings import read_settings
from comity.sync.api import HINTS_CHANNEL
from comity.sync.types import NotReady

log = get_logger()

DEFINITIONS_CHANNEL = "comity_definitions"
IDLE_SECONDS = 1.0
EDGE_IDLE_SECONDS = 1.0
HOUSEKEEPING_SECONDS = 10.0
STOP_SECONDS_MAX = 20.0


class Worker:
    """All loops of one process, and the watch that adds and ends the loops of systems as definitions change."""

    def __init__(self, hub: wiring.Hub) -> None:
        """Build the loops in the middle; those of systems come with the definitions."""
        self._hub = hub
        self._stopping = threading.Event()
        holder_id = hub.ids.uuid7(hub.clock.now())
        self._wakeups = Wakeups(
            database=hub.database,
            channels=[INBOX_CHANNEL, EVENTS_CHANNEL, OUTBOX_CHANNEL, HINTS_CHANNEL, DEFINITIONS_CHANNEL],
            presence=leases.presence_of(holder_id),
        )
        self._holder = holder = Holder(holder_id=holder_id, show=lambda: self._wakeups.presence)
        self._unify = UnifyLoop(hub=hub, holder=holder)
        self._keepers = [
            LeaseKeeper(hub=hub, name=f"reaction:{reaction.reader}", holder=holder) for reaction in wiring.REACTIONS
        ]
        self._loops = [
            Loop(
                name="unify",
                step=self._unify.step,
                wake=self._wakeups.subscribe(INBOX_CHANNEL),
                idle_seconds=IDLE_SECONDS,
            ),
            *(
                Loop(
                    name=f"reaction:{reaction.reader}",
                    step=build_reaction_step(hub, reaction, keeper),
                    wake=self._wakeups.subscribe(EVENTS_CHANNEL),
                    idle_seconds=IDLE_SECONDS,
                )
                for reaction, keeper in zip(wiring.REACTIONS, self._keepers, strict=True)
            ),
        ]
        self._keepers.append(LeaseKeeper(hub=hub, name="housekeeping", holder=holder))
        self._loops.append(
            Loop(
                name="housekeeping",
                step=Housekeeping(hub=hub, keeper=self._keepers[-1]).step,
                wake=self._wakeups.subscribe(DEFINITIONS_CHANNEL),
                idle_seconds=HOUSEKEEPING_SECONDS,
            )
        )
        self._edges: dict[str, tuple[SystemEdge, list[Loop]]] = {}
        self._definitions_changed = self._wakeups.subscribe(DEFINITIONS_CHANNEL)

    def run(self) -> None:
        """Work until asked to stop."""
        self._wakeups.start()
        for loop in self._loops:
            loop.start()
        log.info("worker_started", loops=[loop.name for loop in self._loops])
        while not self._stopping.is_set():
            self._definitions_changed.clear()
            try:
                self._follow_definitions()
            except NotReady:
                log.info("worker_waits", cause="no definitions applied yet")
            except Unavailable as error:
                log.warning("worker_waits", cause=str(error), details=error.details)
            except Exception:  # The loops go on with the systems they have; the next look may succeed.
                log.exception("worker_waits")
            self._definitions_changed.wait(IDLE_SECONDS)
        self._end()

    def stop(self, *_: object) -> None:
        """Ask for the end; `run` returns when every loop has ended its step."""
        self._stopping.set()
        self._definitions_changed.set()

    def _follow_definitions(self) -> None:
        wanted = set(self._hub.get_runtime().systems)
        for system in sorted(wanted - set(self._edges)):
            edge = SystemEdge(hub=self._hub, system=system, holder=self._holder)
            loops = [
                Loop(
                    name=f"read:{system}",
                    step=edge.read_step,
                    wake=self._wakeups.subscribe(HINTS_CHANNEL, DEFINITIONS_CHANNEL),
                    idle_seconds=EDGE_IDLE_SECONDS,
                ),
                Loop(
                    name=f"deliver:{system}",
                    step=edge.deliver_step,
                    wake=self._wakeups.subscribe(OUTBOX_CHANNEL, DEFINITIONS_CHANNEL),
                    idle_seconds=EDGE_IDLE_SECONDS,
                ),
            ]
            for loop in loops:
                loop.start()
            self._edges[system] = (edge, loops)
            log.info("system_joined", system=system)
        for system in sorted(set(self._edges) - wanted):
            edge, loops = self._edges.pop(system)
            for loop in loops:
                loop.stop()
            if all(loop.join(STOP_SECONDS_MAX) for loop in loops):
                edge.close()
            log.info("system_left", system=system)

    def _end(self) -> None:
        loops = [*self._loops, *(loop for _, edge_loops in self._edges.values() for loop in edge_loops)]
        for loop in loops:
            loop.stop()
        late = [loop.name for loop in loops if not loop.join(STOP_SECONDS_MAX)]
        if late:
            log.warning("loops_ended_late", loops=late)
        self._unify.close()
        for edge, _ in self._edges.values():
            edge.close()
        for keeper in self._keepers:
            keeper.drop()
        self._wakeups.stop()
        log.info("worker_stopped")


def main() -> int:
    """Run the worker until SIGTERM or SIGINT."""
    settings = read_settings(os.environ)
    configure(level=settings.log_level)
    end_with_starter(sys.argv)
    with wiring.open_hub(settings, pool_size_max=24) as hub:
        with hub.database.transaction() as tx:
            if not ledger.is_guarded(tx):
                log.warning("ledger_unguarded", remedy="See 'Two roles' in the guide 'Operations'.")
        worker = Worker(hub)

        def stop(_signal: int, _frame: FrameType | None) -> None:
            worker.stop()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        worker.run()
    return 0
