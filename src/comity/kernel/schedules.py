"""Work that is due at times: cadences such as `5s`, `15m`, `1h`, `1d`, or a cron line."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import msgspec
from croniter import croniter

from comity.kernel.database import Tx
from comity.kernel.errors import Invalid
from comity.kernel.sql import SqlFolder

_sql = SqlFolder(__package__)
_INTERVAL = re.compile(r"^(\d+)\s*(ms|s|m|h|d)$")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class CadenceInvalid(Invalid):
    """A cadence is a number with ms, s, m, h or d (such as 5s or 1h), or a cron line of five fields."""


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is due again and again."""

    name: str
    cadence: str
    next_at: datetime
    last_at: datetime | None


def next_time(cadence: str, *, after: datetime) -> datetime:
    """Return when a cadence is due next. Raises CadenceInvalid."""
    interval = _INTERVAL.match(cadence.strip())
    if interval:
        seconds = int(interval[1]) * _SECONDS[interval[2]]
        if seconds <= 0:
            raise CadenceInvalid(details={"found": cadence})
        return after + timedelta(seconds=seconds)
    if not croniter.is_valid(cadence):
        raise CadenceInvalid(details={"found": cadence})
    return croniter(cadence, after).get_next(datetime)


def next_tick(cadence: str, *, at: datetime) -> datetime:
    """Return the first tick of a cadence at a time or after it, in UTC. Raises CadenceInvalid.

    Ticks are the same for everybody: those of an interval are its multiples since 1970 (1h: full hours, 1d: midnight).
    """
    moment = at.astimezone(UTC)
    interval = _INTERVAL.match(cadence.strip())
    if not interval:  # What croniter returns is later than what it is given.
        is_full_minute = moment.second == moment.microsecond == 0
        return next_time(cadence, after=moment - timedelta(seconds=1) if is_full_minute else moment)
    step = next_time(cadence, after=moment) - moment
    return _EPOCH - (_EPOCH - moment) // step * step


def put_schedules(tx: Tx, *, prefix: str, cadences: Mapping[str, str], now: datetime) -> None:
    """Make the schedules of a prefix be exactly these; new ones are due at once."""
    _sql.drop_schedules.execute(tx, prefix=prefix, kept=list(cadences))
    for name, cadence in sorted(cadences.items()):
        next_time(cadence, after=now)
        _sql.put_schedule.execute(tx, name=name, cadence=cadence, next_at=now)


def list_schedules(tx: Tx, *, prefix: str) -> list[Schedule]:
    """Return the schedules of a prefix by name."""
    return _sql.list_schedules.fetch(tx, Schedule, prefix=prefix)


def finish(tx: Tx, *, schedule: Schedule, now: datetime) -> None:
    """Note that the work was done; missed times are made up once, not as often as they were missed."""
    _sql.finish_schedule.execute(tx, name=schedule.name, last_at=now, next_at=next_time(schedule.cadence, after=now))
