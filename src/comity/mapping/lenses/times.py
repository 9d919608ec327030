"""Lenses for days and moments. Moments are kept in UTC."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta

from comity.definitions.types import AttributeType
from comity.mapping.lenses.base import Lens, OptionFault, Options, Rejection
from comity.mapping.types import Value

YEAR_MIN: Final = 1000
"""Years of fewer digits are typing errors, and not every system pads them."""

DIGITS_MAX: Final = 18
"""No moment has more digits, in any unit."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY: Final = date(1970, 1, 1)
_PROBE_DAYS: Final = (date(1887, 12, 31), date(1987, 11, 30), date(2024, 2, 29), date(2001, 10, 3))
_SCALES: Final = {"epoch_ms": 1000, "epoch_s": 1}

NOT_DATE = Rejection("not_a_date", "a day in the format of the mapping", "Correct the value or the `format`.")
NOT_TIME = Rejection("not_a_timestamp", "a moment in the format of the mapping", "Correct the value or the `format`.")


def number_of(found: Any) -> int | Decimal | None:
    """Take a number, or the digits of one, as an exact number; None for anything else."""
    kind = found.__class__
    if kind is int:
        return found
    if kind is float or kind is Decimal:
        exact = Decimal(str(found))
        return exact if exact.is_finite() and exact.adjusted() <= DIGITS_MAX else None
    if kind is str and found.strip().removeprefix("-").isdecimal():
        return int(found)
    return None


class DateOptions(Options, frozen=True):
    """Options of the lens `date`."""

    format: Annotated[str, Meta(min_length=2, max_length=40)] = "iso"
    also: tuple[str, ...] = ()
    null_values: tuple[str, ...] = ()


class DateLens(Lens):
    """A day."""

    name = "date"
    summary = (
        "A day: `format` is iso, epoch_ms, epoch_s or a pattern such as %d.%m.%Y; `also` lists formats read besides."
    )
    types = (AttributeType.DATE,)
    written_types = (AttributeType.TIMESTAMP,)
    options_type = DateOptions
    options: DateOptions

    def __init__(self, options: DateOptions) -> None:
        """Refuse a format that loses part of the day."""
        super().__init__(options)
        self._nulls = frozenset(options.null_values)
        for option, pattern in (("format", options.format), *(("also", each) for each in options.also)):
            if pattern != "iso" and pattern not in _SCALES and not all(_keeps(day, pattern) for day in _PROBE_DAYS):
                raise OptionFault(
                    option, f"{pattern!r} does not keep day, month and whole year.", "Use a pattern such as %Y-%m-%d."
                )

    def read(self, found: Any) -> Value | Rejection:
        """Read a day."""
        if isinstance(found, str):
            found = found.strip()
            if not found or found in self._nulls:
                return None
        for pattern in (self.options.format, *self.options.also):
            day = _read_day(found, pattern)
            if day is not None:
                return day if day.year >= YEAR_MIN else NOT_DATE
        return NOT_DATE

    def write(self, value: Any) -> Any:
        """Write a day; of a moment the day it has in UTC."""
        day = value.astimezone(UTC).date() if isinstance(value, datetime) else value
        pattern = self.options.format
        if pattern == "iso":
            return day.isoformat()
        if pattern in _SCALES:
            return (day - _EPOCH_DAY).days * 86_400 * _SCALES[pattern]
        return day.strftime(pattern)


def _keeps(day: date, pattern: str) -> bool:
    try:
        return datetime.strptime(day.strftime(pattern), pattern).replace(tzinfo=UTC).date() == day
    except ValueError:
        return False


def _read_day(found: Any, pattern: str) -> date | None:
    try:
        if pattern in _SCALES:
            number = number_of(found)
            if number is None:
                return None
            return (_EPOCH + timedelta(seconds=int(number // _SCALES[pattern]))).date()
        if not isinstance(found, str):
            found = str(found) if found.__class__ is int else ""
        if pattern == "iso":
            return date.fromisoformat(found[:10] if len(found) > 10 and found[10] in "T " else found)
        return datetime.strptime(found, pattern).replace(tzinfo=UTC).date()
    except (ValueError, OverflowError):
        return None


class TimestampOptions(Options, frozen=True):
    """Options of the lens `timestamp`."""

    format: Annotated[str, Meta(min_length=2, max_length=60)] = "iso"
    timezone: Annotated[str, Meta(min_length=1, max_length=60)] = "UTC"


class TimestampLens(Lens):
    """A moment."""

    name = "timestamp"
    summary = (
        "A moment: `format` is iso, salesforce (2026-01-31T12:00:00.000+0000), epoch_ms, epoch_s or a pattern; "
        "`timezone` says where a clock without zone hangs."
    )
    types = (AttributeType.TIMESTAMP,)
    options_type = TimestampOptions
    options: TimestampOptions
    is_memoised = False

    def __init__(self, options: TimestampOptions) -> None:
        """Refuse an unknown time zone or a format that loses the moment."""
        super().__init__(options)
        try:
            self._zone = UTC if options.timezone == "UTC" else ZoneInfo(options.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise OptionFault(
                "timezone", f"There is no time zone {options.timezone!r}.", "Use an IANA name such as Europe/Berlin."
            ) from None
        self._kind: Literal["iso", "epoch", "pattern"] = (
            "iso" if options.format in {"iso", "salesforce"} else "epoch" if options.format in _SCALES else "pattern"
        )
        if self._kind == "pattern":
            probe = datetime(1987, 12, 31, 22, 45, tzinfo=UTC)
            written = self.write(probe)
            if self.read(written) != probe:
                raise OptionFault(
                    "format",
                    f"{options.format!r} does not keep day and time.",
                    "Use a pattern such as %Y-%m-%d %H:%M:%S.",
                )

    def read(self, found: Any) -> Value | Rejection:
        """Read a moment."""
        try:
            moment = self._read(found)
        except (ValueError, OverflowError):
            return NOT_TIME
        if isinstance(moment, Rejection) or moment is None:
            return moment
        if moment.tzinfo is not UTC:
            try:
                moment = (moment if moment.tzinfo else moment.replace(tzinfo=self._zone)).astimezone(UTC)
            except OverflowError:
                return NOT_TIME
        return moment if moment.year >= YEAR_MIN else NOT_TIME

    def _read(self, found: Any) -> datetime | Rejection | None:
        if found.__class__ is str:
            if self._kind == "iso":
                return datetime.fromisoformat(found) if found.strip() else None
            if not found.strip():
                return None
            if self._kind == "pattern":
                return datetime.strptime(found.strip(), self.options.format)  # noqa: DTZ007 - the caller adds the zone.
        if self._kind != "epoch":
            return NOT_TIME
        number = number_of(found)
        if number is None:
            return NOT_TIME
        return _EPOCH + timedelta(microseconds=int(number * 1_000_000 // _SCALES[self.options.format]))

    def write(self, value: Any) -> Any:
        """Write a moment in UTC, in the precision of the format."""
        moment: datetime = value.astimezone(UTC)
        if self.options.format == "iso":
            return moment.isoformat().replace("+00:00", "Z")
        if self.options.format == "salesforce":
            return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"
        if self._kind == "epoch":
            return (moment - _EPOCH) // timedelta(microseconds=1_000_000 // _SCALES[self.options.format])
        return moment.astimezone(self._zone).strftime(self.options.format)
