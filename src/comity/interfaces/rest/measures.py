"""Metrics of the hub as a whole, set when they are asked for; those of a process count as its work goes on."""

from prometheus_client import Gauge

from comity.interfaces.rest.board import Board
from comity.interfaces.shared.views import StatusView, SystemView
from comity.kernel.errors import Unavailable
from comity.kernel.telemetry import QUEUE_ITEMS, READER_LAG, REGISTRY

DATABASE_UP = Gauge("comity_database_up", "1 when the database answers, 0 when it does not.", registry=REGISTRY)
REVISION = Gauge("comity_definitions_revision", "Revision of the definitions in force.", registry=REGISTRY)
PEOPLE = Gauge("comity_people", "People the hub knows.", registry=REGISTRY)
MEMBERS = Gauge("comity_members", "Memberships in programmes.", registry=REGISTRY)
POINTS = Gauge("comity_points_outstanding", "Points members hold.", registry=REGISTRY)
TRIAL_BALANCE = Gauge(
    "comity_trial_balance", "Sum of all entries of the ledger; anything but 0 is an alarm.", registry=REGISTRY
)
WAITING_SECONDS = Gauge(
    "comity_oldest_waiting_seconds", "Age of the oldest change that waits to be unified.", registry=REGISTRY
)
HEALTHY = Gauge("comity_system_healthy", "1 when the last call to a system went well.", ["system"], registry=REGISTRY)
READ = Gauge("comity_system_read_records", "Records read from a system so far.", ["system"], registry=REGISTRY)
READ_AGE = Gauge(
    "comity_system_read_age_seconds", "Seconds since a system was last read well.", ["system"], registry=REGISTRY
)
WRITE_AGE = Gauge(
    "comity_system_write_age_seconds", "Seconds since a system was last written well.", ["system"], registry=REGISTRY
)
HOOKS_REFUSED = Gauge(
    "comity_system_hooks_refused", "Webhooks of a system that were refused so far.", ["system"], registry=REGISTRY
)
BY_SYSTEM = (HEALTHY, READ, HOOKS_REFUSED, READ_AGE, WRITE_AGE, QUEUE_ITEMS)


def measure_hub(board: Board) -> None:
    """Set the gauges from the status board; when the database is away, say only that."""
    try:
        status = board.look()
    except Unavailable:
        DATABASE_UP.set(0)
        return
    DATABASE_UP.set(1)
    REVISION.set(status.revision)
    PEOPLE.set(status.profile_count)
    MEMBERS.set(status.member_count)
    POINTS.set(status.points_outstanding)
    TRIAL_BALANCE.set(status.trial_balance)
    for reader in status.readers:
        READER_LAG.labels(reader.reader).set(reader.waiting_count)
    oldest_at = status.oldest_waiting_at
    WAITING_SECONDS.set((status.now - oldest_at).total_seconds() if oldest_at else 0)
    for gauge in BY_SYSTEM:  # Systems that have left are no longer told of.
        gauge.clear()
    for system in status.systems:
        _measure_system(system, status)


def _measure_system(system: SystemView, status: StatusView) -> None:
    name = system.system
    HEALTHY.labels(name).set(system.is_healthy)
    READ.labels(name).set(system.read_count)
    HOOKS_REFUSED.labels(name).set(system.hooks_refused_count)
    if system.read_ok_at is not None:
        READ_AGE.labels(name).set((status.now - system.read_ok_at).total_seconds())
    if system.write_ok_at is not None:
        WRITE_AGE.labels(name).set((status.now - system.write_ok_at).total_seconds())
    queues = {
        "waiting_changes": system.waiting_count,
        "stale": system.stale_count,
        "held": system.held_count,
        "retrying": system.retrying_count,
        "parked_changes": system.parked_changes,
        "parked_deliveries": system.parked_deliveries,
    }
    for queue, count in queues.items():
        QUEUE_ITEMS.labels(queue, name).set(count)
