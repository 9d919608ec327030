"""Specification of kind `system`: one connected instance of another product."""

import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_INTERVAL = re.compile(r"^([1-9]\d{0,5})([smhd])$")


def interval_seconds(cadence: str) -> int | None:
    """Return the seconds of an interval such as 5s, 2m, 1h or 1d; None when it is none (a cron line, or nonsense)."""
    found = _INTERVAL.match(cadence)
    return int(found[1]) * _SECONDS[found[2]] if found else None


class SecretSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where a secret is found when the hub runs: exactly one of an environment variable or a file."""

    env: Annotated[str, Meta(min_length=1, description="Name of the environment variable that holds the secret.")] | (
        None
    ) = None
    file: Annotated[str, Meta(min_length=1, description="Path of the file that holds the secret.")] | None = None


class StreamSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How one kind of object is read: polled, pushed by the system, or both."""

    every: Annotated[str, Meta(description="How often to poll: 5s, 2m, 1h, 1d, or a cron line of five fields.")] | (
        None
    ) = None
    webhook: Annotated[bool, Meta(description="True when the system pushes changes of this stream.")] = False

    @property
    def interval_seconds(self) -> int | None:
        """Polling interval, or None when the stream is not polled or follows a cron line."""
        return interval_seconds(self.every or "")

    @property
    def cron(self) -> str | None:
        """Cron line the stream is polled by, or None."""
        return self.every if self.every is not None and self.interval_seconds is None else None


class DeliverSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How much the hub may ask of the system when it writes back."""

    rate_per_second: Annotated[float, Meta(gt=0, le=10_000, description="Requests a second at most.")] = 10
    concurrency: Annotated[int, Meta(ge=1, le=64, description="Requests in flight at most.")] = 2
    daily_quota: Annotated[int, Meta(ge=1, description="Requests a day at most.")] | None = None
    batch_max: Annotated[int, Meta(ge=1, le=10_000, description="Records in one request at most.")] = 200
    create: Annotated[
        str,
        Meta(
            min_length=1,
            description="Whether people the system does not know are created there: never, always, or a condition.",
        ),
    ] = "never"

    @property
    def create_condition(self) -> str | None:
        """Condition that decides on creation, or None when it is `never` or `always`."""
        return None if self.create in {"never", "always"} else self.create


class SystemSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One connected instance; the name of its document is the source id of everything it says."""

    connector: Annotated[str, Meta(min_length=1, description="Connector that speaks to it: salesforce, hubspot, rest.")]
    title: Annotated[str, Meta(max_length=200, description="What people call the system.")] = ""
    settings: Annotated[dict[str, Any], Meta(description="Settings of the connector.")] = {}
    secrets: Annotated[dict[str, SecretSpec], Meta(description="Where the secrets are; never the secrets.")] = {}
    streams: Annotated[dict[str, StreamSpec], Meta(description="What to read, by the system's own names.")] = {}
    deliver: DeliverSpec = DeliverSpec()
