"""The connector interface and the values that cross it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from msgspec import Struct

from comity.kernel.clock import Clock
from comity.kernel.egress import Egress
from comity.kernel.errors import Forbidden, Invalid, Unavailable

MESSAGE_CHARS_MAX = 500


class ChangeKind(StrEnum):
    """What happened to a record. An upsert of a record known as deleted restores it as well."""

    UPSERT = "upsert"
    DELETE = "delete"
    RESTORE = "restore"
    MERGE = "merge"


class ReadChange(Struct, frozen=True, kw_only=True):
    """One state of one record, or its end, as a system reported it.

    `version` makes the change unique within its record: reading the same state again gives the same version, another
    state always gives another one, even within one tick of the vendor's clock.
    `payload` is the record as JSON in the vendor's own field names; `{}` where the system sends no content (delete,
    merge, restore).
    `survivor_id` is set for a merge: the record that `external_id` went into.
    """

    stream: str
    external_id: str
    kind: ChangeKind = ChangeKind.UPSERT
    version: str
    source_at: datetime | None = None
    payload: bytes = b"{}"
    survivor_id: str | None = None


class Hint(Struct, frozen=True, kw_only=True):
    """A system said that these records changed, without (reliable) content: fetch them."""

    stream: str
    external_ids: tuple[str, ...]


class Page(Struct, frozen=True, kw_only=True):
    """Changes and the cursor to save in the same transaction with them.

    `is_last` is true when the system had nothing more at this moment; reading on from `cursor` later continues there.
    """

    changes: list[ReadChange]
    cursor: str
    is_last: bool


class WriteItem(Struct, frozen=True, kw_only=True):
    """One record to write.

    `key` is ours and comes back in the verdict. `external_id` None means create, or upsert by `match_value` in
    `match_field` (the field that holds our Global ID) where the system can. `fields` are JSON values in the vendor's
    form; None clears a field. `idempotency_key` is sent along where the system knows such a thing.
    """

    key: str
    external_id: str | None = None
    fields: dict[str, Any]
    match_field: str | None = None
    match_value: str | None = None
    idempotency_key: str | None = None


class Outcome(StrEnum):
    """What became of one written item; the caller decides what to do by this alone."""

    DELIVERED = "delivered"
    UNCHANGED = "unchanged"
    CONFLICT = "conflict"
    RETRY = "retry"
    REJECTED = "rejected"
    GONE = "gone"
    UNKNOWN = "unknown"


class Verdict(Struct, frozen=True, kw_only=True):
    """The answer for one item.

    `external_id` names the record written, for a conflict the record that is in the way, for gone the survivor of a
    merge where the system tells it. `is_created` None means the system does not say. `reason_code` is the vendor's
    code, `message` the vendor's text, capped; `field` the field at fault where known.
    """

    key: str
    outcome: Outcome
    external_id: str | None = None
    is_created: bool | None = None
    after_seconds: float | None = None
    reason_code: str | None = None
    message: str | None = None
    field: str | None = None


class ErrorClass(StrEnum):
    """Why a call failed, by what the caller must do about it."""

    AUTH_EXPIRED = "auth_expired"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    GONE = "gone"
    CONFLICT = "conflict"
    DUPLICATE = "duplicate"
    LOCK = "lock"
    PRECONDITION = "precondition"
    VALIDATION = "validation"
    LIMIT_SHORT = "limit_short"
    LIMIT_LONG = "limit_long"
    UNSUPPORTED = "unsupported"
    TRANSIENT = "transient"
    UNKNOWN = "unknown"


class CallFailed(Unavailable):
    """The whole call to a system failed."""

    def __init__(
        self,
        *,
        error_class: ErrorClass,
        message: str,
        retry_after_seconds: float | None = None,
        is_maybe_applied: bool = False,
        reason_code: str | None = None,
        field: str | None = None,
        existing_id: str | None = None,
    ) -> None:
        """Take the class, the vendor's words and code, and for a duplicate the record that is in the way."""
        message = message[:MESSAGE_CHARS_MAX]
        details = {"error_class": error_class.value, "reason_code": reason_code, "field": field}
        super().__init__(message, code="call_failed", details={k: v for k, v in details.items() if v is not None})
        self.error_class = error_class
        self.message = message
        self.retry_after_seconds = retry_after_seconds
        self.is_maybe_applied = is_maybe_applied
        self.reason_code = reason_code
        self.field = field
        self.existing_id = existing_id


class SignatureInvalid(Forbidden):
    """The webhook's signature does not match its body, or its time is too far away."""


class HookMalformed(Invalid):
    """The webhook's body is not what this system sends."""


class SettingsInvalid(Invalid):
    """The settings of a system do not fit its connector."""


class CursorInvalid(Invalid):
    """The saved cursor is not one this connector wrote."""


class HookRequest(Struct, frozen=True, kw_only=True):
    """A webhook as it arrived: `url` as the sender called it, header names in any case, the raw body, our time."""

    method: str = "POST"
    url: str
    headers: Mapping[str, str]
    body: bytes
    now: datetime

    def header(self, name: str) -> str | None:
        """The value of a header, whatever its case."""
        wanted = name.lower()
        return next((value for key, value in self.headers.items() if key.lower() == wanted), None)


class Missing(Struct, frozen=True, kw_only=True):
    """One thing a system lacks, and what to do about it."""

    what: str
    remedy: str


class CheckResult(Struct, frozen=True, kw_only=True):
    """Whether a system can be worked with: `is_ok` is true when nothing is missing."""

    is_ok: bool
    latency_ms: float
    version: str | None = None
    account: str | None = None
    missing: tuple[Missing, ...] = ()


class StreamField(Struct, frozen=True, kw_only=True):
    """One field of a stream, as the system describes it; `type` is the vendor's own word."""

    name: str
    type: str
    label: str = ""
    is_writable: bool = True
    is_required: bool = False
    is_unique: bool = False
    length_max: int | None = None
    choices: tuple[str, ...] = ()


class StreamSchema(Struct, frozen=True, kw_only=True):
    """The fields of a stream; the fingerprint changes when a mapping could be affected."""

    stream: str
    fields: tuple[StreamField, ...]
    fingerprint: str


class FieldWanted(Struct, frozen=True, kw_only=True):
    """A field the hub needs in a system. `type` is one of text, integer, date, timestamp, boolean, money."""

    stream: str
    name: str
    label: str
    type: str = "text"
    length_max: int = 255
    is_unique: bool = False


class Limit(Struct, frozen=True, kw_only=True):
    """One of the system's own limits as last seen."""

    name: str
    maximum: int
    remaining: int | None = None
    window_seconds: int | None = None


class Capabilities(Struct, frozen=True, kw_only=True):
    """What a connector can do, stated as data.

    `read_lag_seconds`: how old a change must be before polling is sure to see it.
    `origin_marker`: how our own writes are marked in the system's change events, if they are.
    """

    writes: bool = True
    native_upsert: bool = False
    batch_write_max: int = 1
    fetch_max: int = 1
    can_find: bool = False
    can_read_deleted: bool = False
    can_provision: bool = False
    has_webhooks: bool = False
    can_subscribe: bool = False
    tells_created: bool = False
    read_lag_seconds: float = 0.0
    origin_marker: str | None = None


class Subscription(Struct, frozen=True, kw_only=True):
    """What the system will push to us from now on."""

    target_url: str
    event_kinds: tuple[str, ...]
    is_new: bool


class ConnectorSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every connector's settings share: how its system is reached."""

    ca_file: str | None = None
    proxy: str | None = None
    timeout_seconds: float = 30.0


class Budget(Protocol):
    """Permission to call a system. One object per system, shared by everything that calls it."""

    def spend(self, calls_count: int = 1) -> None:
        """Take permission for calls; wait, or raise `CallFailed` (limit_short, limit_long) when there is none."""
        ...

    def report(self, *, used_count: int, maximum: int) -> None:
        """Learn the daily use as the system itself counts it."""
        ...


class ConnectorContext(Struct, frozen=True, kw_only=True):
    """All that a connector gets from outside. `settings` is an instance of the spec's settings struct.

    `save_secret(name, value)` keeps a secret the system itself replaced, such as a rotated refresh token.
    """

    settings: Any
    secrets: Mapping[str, str]
    egress: Egress
    clock: Clock
    budget: Budget | None = None
    save_secret: Callable[[str, str], None] | None = None


class Connector(ABC):
    """One connected system. Safe to use from several threads; all state is in cursors and in the cached access token.

    Every method may raise `CallFailed`. What a system cannot do is stated in its capabilities, and asking for it all
    the same fails with the class `unsupported`.
    """

    name: ClassVar[str]

    @abstractmethod
    def check(self) -> CheckResult:
        """Tell whether the system answers, accepts our credentials and has what we need; never raises `CallFailed`."""

    @abstractmethod
    def discover(self, stream: str) -> StreamSchema:
        """Describe the fields of a stream."""

    @abstractmethod
    def read(
        self, stream: str, cursor: str | None, *, fields: Sequence[str] = (), limit_pages: int = 100
    ) -> Iterator[Page]:
        """Read changes after `cursor` (None: from the beginning), at most `limit_pages` pages.

        Never skips a change the system shows; may repeat one (same version). `fields` are the vendor's field names a
        mapping needs; without them every field comes. Raises `CursorInvalid`.
        """

    @abstractmethod
    def fetch(self, stream: str, ids: Sequence[str], *, fields: Sequence[str] = ()) -> list[ReadChange]:
        """Read the present state of records; those that are no more come back as delete or merge."""

    def find(
        self, stream: str, key_field: str, values: Sequence[str], *, fields: Sequence[str] = ()
    ) -> list[ReadChange]:
        """Find records by a field's value, to learn whether a write without an answer arrived."""
        raise unsupported(self.name, f"find records of {stream} by {key_field} (values: {len(values)}, {len(fields)})")

    def write(self, stream: str, batch: Sequence[WriteItem]) -> list[Verdict]:
        """Write records, one verdict per item in the same order.

        Raises `CallFailed` only when nothing of the batch is known to have arrived; `is_maybe_applied` then tells
        whether it may have.
        """
        raise unsupported(self.name, f"write to {stream} ({len(batch)} items)")

    def receive(self, request: HookRequest) -> list[ReadChange | Hint]:
        """Verify a webhook and say what it tells; calls nobody. Raises `SignatureInvalid`, `HookMalformed`."""
        raise unsupported(self.name, f"receive webhooks at {request.url}")

    def subscribe(self, target_url: str, *, fields: Mapping[str, Sequence[str]]) -> Subscription:
        """Ask the system to push changes of these streams and fields to `target_url`; asking again changes nothing."""
        raise unsupported(self.name, f"subscribe {target_url} ({len(fields)} streams)")

    def provision(self, fields: Sequence[FieldWanted]) -> list[str]:
        """Create the fields that are missing, answer the names created; asking again creates nothing."""
        raise unsupported(self.name, f"create {len(fields)} fields")

    def limits(self) -> list[Limit]:
        """The system's limits as far as it tells them."""
        return []


class ConnectorSpec(Struct, frozen=True, kw_only=True):
    """A connector as `wiring` registers it: what it is called, what it needs, what it can, how to open it.

    `webhook_schema` is a JSON Schema of the body it receives, for documents and editors. `provision_note` says what is
    left to do by hand after fields were created.
    """

    name: str
    title: str
    settings: type[ConnectorSettings]
    secrets_required: tuple[str, ...] = ()
    secrets_optional: tuple[str, ...] = ()
    capabilities: Capabilities
    build: Callable[[ConnectorContext], Connector]
    webhook_schema: Mapping[str, Any] | None = None
    provision_note: str = ""


def unsupported(connector: str, what: str) -> CallFailed:
    """The error for something a connector cannot do."""
    return CallFailed(error_class=ErrorClass.UNSUPPORTED, message=f"The connector {connector} cannot {what}.")
