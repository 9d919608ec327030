"""Work that is due at times.

Who was there before a programme joins it, tiers follow their window, points become available, lapse and expire,
vouchers expire, holds time out, referrals mature, the books are sealed.
"""

from uuid import UUID

from comity import wiring
from comity.interfaces.worker.flow import LeaseKeeper
from comity.kernel import leases, schedules
from comity.kernel.leases import Lease
from comity.kernel.schedules import Schedule
from comity.ledger import api as ledger
from comity.outbox import api as outbox
from comity.sync import api as sync

PREFIX = "keep:"
ENROL_EVERY = "5m"
TIERS_EVERY = "15 * * * *"
"""Hourly; windows and levels end with the day of their programme, wherever that is; only those are looked at whose day
has come."""

EXPIRE_EVERY = "5 * * * *"
"""Hourly; points and vouchers expire with the day of their programme, wherever that is."""

WARN_EVERY = "10 * * * *"
"""Hourly, after what has expired is gone; warnings come with the day of their programme, too."""

HOLDS_EVERY = "1m"
"""What a hold reserved is free soon after its deadline; nobody can capture it from the deadline on."""

SEAL_EVERY = "1m"
"""What was posted is sealed by the second turn after it."""

SEAL = f"{PREFIX}seal:ledger"

RELEASE_EVERY = "1 * * * *"
"""Hourly; pending points become available, or lapse, with the day of their programme, too."""

REFERRALS_EVERY = "10 * * * *"
"""Hourly; referrals mature with the day of their programme, too."""

FIRST_PROFILE = UUID(int=0)


class Housekeeping:
    """Does what is due, batch by batch, each batch a transaction of its own."""

    def __init__(self, *, hub: wiring.Hub, keeper: LeaseKeeper) -> None:
        """One worker at a time does it."""
        self._hub = hub
        self._keeper = keeper
        self._revision = -1

    def step(self) -> float | None:
        """Do what is due; new definitions make everything due at once."""
        return self._keeper.run(self._step)

    def _step(self, lease: Lease) -> float | None:
        runtime = self._hub.get_runtime()
        now = self._hub.clock.now()
        if runtime.revision != self._revision:
            cadences = {SEAL: SEAL_EVERY}
            for programme in runtime.programmes:
                cadences[f"{PREFIX}enrol:{programme.name}"] = ENROL_EVERY
                cadences[f"{PREFIX}tiers:{programme.name}"] = TIERS_EVERY
                cadences[f"{PREFIX}release:{programme.name}"] = RELEASE_EVERY
                cadences[f"{PREFIX}lapse:{programme.name}"] = RELEASE_EVERY
                cadences[f"{PREFIX}expire:{programme.name}"] = EXPIRE_EVERY
                cadences[f"{PREFIX}warn:{programme.name}"] = WARN_EVERY
                cadences[f"{PREFIX}holds:{programme.name}"] = HOLDS_EVERY
                if programme.spec.rewards:
                    cadences[f"{PREFIX}vouchers:{programme.name}"] = EXPIRE_EVERY
                cadences[f"{PREFIX}referrals:{programme.name}"] = REFERRALS_EVERY
            with self._hub.database.transaction() as tx:
                schedules.put_schedules(tx, prefix=PREFIX, cadences=cadences, now=now)
            self._match_again(runtime=runtime, lease=lease)
            self._revision = runtime.revision
        with self._hub.database.transaction() as tx:
            outbox.trim_changes(tx, systems=runtime.written_systems)
            due = [each for each in schedules.list_schedules(tx, prefix=PREFIX) if each.next_at <= now]
        for schedule in due:
            if schedule.name == SEAL:
                self._seal()
            else:
                self._do(schedule, runtime=runtime, lease=lease)
            with self._hub.database.transaction() as tx:
                schedules.finish(tx, schedule=schedule, now=self._hub.clock.now())
        return None

    def _seal(self) -> None:
        """Seal the books, a block at a time; sealing wants transactions of its own and keeps others out by itself."""
        count = 1
        while count:
            with self._hub.database.transaction() as tx:
                count = ledger.seal(tx, now=self._hub.clock.now(), blocks_max=1)

    def _match_again(self, *, runtime: sync.Runtime, lease: Lease) -> None:
        """Resolve records whose keys were made by other match rules, batch by batch, until none is left."""
        after: int | None = 0
        while after is not None:
            with leases.held(self._hub.database, lease=lease) as tx:
                after = sync.match_again(
                    tx, runtime=runtime, after_record_id=after, ids=self._hub.ids, now=self._hub.clock.now()
                )

    def _do(self, schedule: Schedule, *, runtime: sync.Runtime, lease: Lease) -> None:
        """Do what is due of one schedule, batch by batch, until nothing is left."""
        _, task, name = schedule.name.split(":", 2)
        profile_id: UUID | None = FIRST_PROFILE
        after: int | None = 0
        ended_count = 1
        while profile_id is not None and after is not None and ended_count:
            with self._hub.database.transaction() as tx:
                leases.check(tx, lease=lease)
                now = self._hub.clock.now()
                if task == "enrol":
                    profile_id = sync.enrol_strangers(
                        tx, runtime=runtime, programme_name=name, after_profile_id=profile_id, now=now
                    )
                elif task == "release":
                    sync.release_points(tx, runtime=runtime, programme_name=name, now=now)
                    after = None
                elif task == "lapse":
                    after = sync.lapse_points(
                        tx, runtime=runtime, programme_name=name, after_purchase_id=after, now=now
                    )
                elif task == "expire":
                    ended_count = sync.expire_points(tx, runtime=runtime, programme_name=name, now=now)
                elif task == "warn":
                    ended_count = sync.warn_of_expiry(tx, runtime=runtime, programme_name=name, now=now)
                elif task == "vouchers":
                    ended_count = sync.expire_vouchers(tx, runtime=runtime, programme_name=name, now=now)
                elif task == "holds":
                    ended_count = sync.time_out_holds(tx, runtime=runtime, programme_name=name, now=now)
                elif task == "referrals":
                    ended_count = sync.mature_referrals(tx, runtime=runtime, programme_name=name, now=now)
                else:
                    after = sync.recompute_tiers(
                        tx, runtime=runtime, programme_name=name, after_member_id=after, now=now
                    )
