"""The one place that knows every room and every connector by name, and who listens to which event."""

import difflib
import os
from collections.abc import Sequence
from contextlib import closing, nullcontext
from enum import Enum, auto
from pathlib import Path
from threading import Lock
from typing import Self

from comity.connect.budget import Budgets, DailyQuota, TokenBucket
from comity.connect.opening import check_secrets, open_connector, read_settings
from comity.connect.types import Budget, Connector, ConnectorSpec, SettingsInvalid
from comity.connectors.hubspot.spec import SPEC as HUBSPOT
from comity.connectors.rest.spec import SPEC as REST
from comity.connectors.salesforce.spec import SPEC as SALESFORCE
from comity.definitions.api import find_faults
from comity.definitions.types import (
    Checker,
    Definitions,
    DeliverSpec,
    Document,
    Kind,
    MappingSpec,
    ProgrammeSpec,
    SecretSpec,
    SystemSpec,
)
from comity.identity.types import PROFILE_CREATED, PROFILES_MERGED, RECORDS_MOVED
from comity.kernel import migrate as kernel_migrate
from comity.kernel.clock import Clock, SystemClock
from comity.kernel.database import CONNECT_SECONDS_MAX, Database, wait_until_up
from comity.kernel.egress import Egress
from comity.kernel.embedded import EmbeddedServer, check_settings, ensure
from comity.kernel.ids import Ids, RandomIds
from comity.mapping.types import Fault
from comity.programme import api as programme
from comity.settings import PREFIX as SETTINGS_PREFIX
from comity.settings import Settings
from comity.sync.api import (
    Reaction,
    Runtime,
    RuntimeSource,
    check_mapping_document,
    check_rules_document,
    collect_in_pools,
    keep_memberships,
    mark_loyalty_stale,
)

ROOMS = (
    "kernel",
    "definitions",
    "access",
    "systems",
    "inbox",
    "identity",
    "profile",
    "activity",
    "ledger",
    "programme",
    "outbox",
    "sync",
)
"""The rooms that own tables, upstream first: a room's functions and views may use those of the rooms before it."""

CONNECTORS: dict[str, ConnectorSpec] = {spec.name: spec for spec in (SALESFORCE, HUBSPOT, REST)}

REACTIONS: tuple[Reaction, ...] = (
    Reaction(
        reader="programme",
        kinds=(
            PROFILE_CREATED,
            PROFILES_MERGED,
            RECORDS_MOVED,
            "activity.purchase_recorded",
            "activity.purchase_changed",
        ),
        handle=keep_memberships,
    ),
    Reaction(reader="programme_pools", kinds=("programme.points_earned",), handle=collect_in_pools),
    Reaction(
        reader="outbox_loyalty",
        kinds=(
            "programme.member_enrolled",
            "programme.points_earned",
            "programme.points_available",
            "programme.points_taken_back",
            "programme.points_redeemed",
            "programme.points_expired",
            "programme.hold_timed_out",
            "programme.points_moved",
            "programme.tier_changed",
            "programme.members_merged",
            "programme.points_parted",
        ),
        handle=mark_loyalty_stale,
    ),
)
"""Everything that reacts to anything: reader, kinds of events, what it does."""

DATABASE_WAIT_SECONDS = 60.0
"""How long a starting process waits for the server its address names."""

RESERVE_SHARE = 0.1
"""The part of a daily quota that only consent may use."""


KEPT = ("ledger",)
"""The rooms whose tables belong to the owner where there is one: the hub's role changes nothing that was posted."""


def migrate(database: Database, *, owner_dsn: str | None = None) -> list[str]:
    """Bring the database to this version's schema. Returns the names of what was applied.

    `owner_dsn` is the address of the same database for the role that owns what the hub may not change.
    """
    with closing(Database(dsn=owner_dsn, pool_size_max=1)) if owner_dsn else nullcontext() as owner:
        return kernel_migrate.migrate(database, rooms=ROOMS, kept=KEPT, owner=owner)


class Schema(Enum):
    """What opening the hub does about the schema of its database."""

    MIGRATE = auto()
    """Bring it to this version."""

    BEGIN = auto()
    """Make it where there is none; one of another version is refused."""

    REQUIRE = auto()
    """Nothing: it must be there."""


class Hub:
    """What a process of Comity holds: database, clock, ids, the runtime in force and the open connectors."""

    def __init__(
        self, *, database: Database, settings: Settings, clock: Clock, ids: Ids, server: EmbeddedServer | None
    ) -> None:
        """Made by `open_hub`."""
        self.database = database
        self.settings = settings
        self.clock = clock
        self.ids = ids
        self.runtimes = RuntimeSource()
        self._server = server
        self._connectors: dict[str, tuple[SystemSpec, Connector]] = {}
        self._budgets: dict[str, tuple[DeliverSpec, Budget]] = {}
        self._clients: list[Egress] = []
        self._lock = Lock()

    def get_runtime(self) -> Runtime:
        """Return the runtime in force. Raises NotReady before the first apply."""
        with self.database.transaction() as tx:
            return self.runtimes.get(tx)

    def get_connector(self, name: str, spec: SystemSpec) -> Connector:
        """Return the open connector of a system; a changed specification opens a new one. Raises SettingsInvalid."""
        with self._lock:
            known = self._connectors.get(name)
            if known is None or known[0] != spec:
                known = (spec, self._open_connector(name, spec))
                self._connectors[name] = known
            return known[1]

    def forget_connector(self, name: str) -> None:
        """Open a system's connector anew next time: its secrets may have been replaced where they are kept."""
        with self._lock:
            self._connectors.pop(name, None)

    def _open_connector(self, name: str, spec: SystemSpec) -> Connector:
        """Open a connector with a client of its own; what was spent of its budget stays spent."""
        known = self._budgets.get(name)
        if known is None or known[0] != spec.deliver:
            known = (spec.deliver, _budget(spec, self.clock))
            self._budgets[name] = known
        client = Egress(ca_file=spec.settings.get("ca_file"), proxy=spec.settings.get("proxy"))
        connector = build_connector(
            name,
            spec,
            clock=self.clock,
            base=self.settings.project_dir,
            secrets_dir=self.settings.secrets_dir,
            budget=known[1],
            egress=client,
        )
        self._clients.append(client)
        return connector

    def close(self) -> None:
        """Let go of systems and database; an embedded server stops with the last process that uses it."""
        for client in self._clients:
            client.close()
        self.database.close()
        if self._server is not None:
            self._server.close()

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()


def open_hub(
    settings: Settings,
    *,
    pool_size_max: int = 8,
    schema: Schema = Schema.MIGRATE,
    wait_seconds: float = CONNECT_SECONDS_MAX,
) -> Hub:
    """Open the database, the embedded one without a DSN, and bring it to this version's schema.

    A server that is just starting or recovering is waited for. Raises ServerUnsuitable when a server given by DSN
    lacks what Comity relies on, DatabaseUnavailable when it does not come up in time, MigrationBlocked; SchemaMissing
    and SchemaOutdated where the schema is not to be touched.
    """
    server = None
    if settings.database_url:
        dsn = settings.database_url
        wait_until_up(dsn, clock=SystemClock(), seconds_max=DATABASE_WAIT_SECONDS)
        check_settings(dsn)
        owner_dsn = settings.database_owner_url
    else:
        server = ensure(data_dir=settings.data_dir / "postgres")
        dsn, owner_dsn = server.dsn, server.owner_dsn
    database = Database(dsn=dsn, pool_size_max=pool_size_max, wait_seconds=wait_seconds)
    hub = Hub(database=database, settings=settings, clock=SystemClock(), ids=RandomIds(), server=server)
    try:
        if schema is Schema.MIGRATE or (schema is Schema.BEGIN and not kernel_migrate.has_schema(database)):
            migrate(database, owner_dsn=owner_dsn)
        else:
            kernel_migrate.require_schema(database, rooms=ROOMS)
    except BaseException:
        hub.close()
        raise
    return hub


def build_connector(
    name: str,
    spec: SystemSpec,
    *,
    clock: Clock,
    base: Path,
    secrets_dir: Path | None = None,
    budget: Budget | None = None,
    egress: Egress | None = None,
) -> Connector:
    """Open the connector of a system with its settings, secrets and budget. Raises SettingsInvalid."""
    connector = CONNECTORS.get(spec.connector)
    if connector is None:
        raise SettingsInvalid(
            f"System {name} asks for a connector {spec.connector!r} that does not exist.",
            details={"known": sorted(CONNECTORS)},
        )
    secrets = {
        key: read_secret(name, key, secret, base=base, secrets_dir=secrets_dir) for key, secret in spec.secrets.items()
    }
    return open_connector(
        connector,
        settings=spec.settings,
        secrets=secrets,
        clock=clock,
        budget=budget or _budget(spec, clock),
        egress=egress,
    )


def read_secret(system: str, key: str, secret: SecretSpec, *, base: Path, secrets_dir: Path | None = None) -> str:
    """Return a secret from the environment or its file (relative to the project). Raises SettingsInvalid.

    Whoever may apply definitions says where a system is, and so where its secrets are sent: neither the hub's own
    settings nor files outside the project and the folder of secrets can be named.
    """
    if secret.env is not None:
        if secret.env.startswith(SETTINGS_PREFIX):
            raise SettingsInvalid(
                f"System {system} takes its secret {key!r} from {secret.env}, a setting of the hub itself.",
                details={"system": system, "remedy": f"Use a variable that does not begin with {SETTINGS_PREFIX}."},
            )
        value = os.environ.get(secret.env)
        if not value:
            raise SettingsInvalid(
                f"System {system} takes its secret {key!r} from {secret.env} in the environment, where it is not set.",
                details={"system": system, "remedy": f"Set {secret.env} for the processes of the hub."},
            )
        return value
    path = base / (secret.file or "")
    places = [place.resolve() for place in (base, secrets_dir) if place is not None]
    if not any(path.resolve().is_relative_to(place) for place in places):
        raise SettingsInvalid(
            f"System {system} takes its secret {key!r} from {path}, which is outside the project.",
            details={"system": system, "remedy": f"Put it under one of these: {', '.join(map(str, places))}."},
        )
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsInvalid(
            f"System {system} takes its secret {key!r} from {path}, which cannot be read: {error.strerror}.",
            details={"system": system, "remedy": "Put the secret there, readable for the hub alone."},
        ) from error


def check_system_document(document: Document, _: Definitions) -> Sequence[Fault]:
    """Check a system's settings and secrets against its connector."""
    spec = document.spec
    if not isinstance(spec, SystemSpec):
        return ()
    connector = CONNECTORS.get(spec.connector)
    if connector is None:
        near = difflib.get_close_matches(spec.connector, CONNECTORS, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"Known are {', '.join(sorted(CONNECTORS))}."
        return [Fault(field="connector", message=f"There is no connector {spec.connector!r}.", remedy=hint)]
    faults: list[Fault] = []
    found = find_faults(spec.settings, connector.settings, under="settings")
    faults += [Fault(field=each.field, message=each.message, remedy=each.remedy) for each in found]
    try:
        read_settings(connector, spec.settings)
    except SettingsInvalid as error:
        if not found:
            faults.append(Fault(field="settings", message=error.message, remedy="See the guide of the connector."))
    try:
        check_secrets(connector, set(spec.secrets))
    except SettingsInvalid as error:
        faults.append(Fault(field="secrets", message=error.message, remedy="Name where each secret is found."))
    return faults


def check_programme_document(document: Document, definitions: Definitions) -> Sequence[Fault]:
    """Refuse what a programme says and the hub would ignore, and events that nobody tells of."""
    spec = document.spec
    if not isinstance(spec, ProgrammeSpec):
        return ()
    told = {name for each in definitions.documents for name in _list_events(each.spec)}
    unheard = [
        Fault(
            field=field,
            message=f"No mapping tells of the event '{name}': points that wait for it would never become available.",
            remedy=f"Write events: {{{name}: FIELD}} among the fields of a mapping of purchases.",
        )
        for field, name in programme.find_awaited(spec).items()
        if name not in told
    ]
    return unheard + [
        Fault(
            field=field,
            message="This is understood, but this version does not carry it out yet: it would be ignored.",
            remedy="Leave it out. The guide 'Design a programme' says what is carried out.",
        )
        for field in programme.find_ignored(spec)
    ]


def _list_events(spec: object) -> Sequence[str]:
    fields = spec.purchase_fields if isinstance(spec, MappingSpec) else None
    return list(fields.events) if fields else ()


CHECKERS: dict[Kind, Checker] = {
    Kind.SYSTEM: check_system_document,
    Kind.MAPPING: check_mapping_document,
    Kind.RULES: check_rules_document,
    Kind.PROGRAMME: check_programme_document,
}
"""The checks of documents that rooms downstream of definitions bring."""


def _budget(spec: SystemSpec, clock: Clock) -> Budget:
    deliver = spec.deliver
    bucket = TokenBucket(
        clock=clock, rate_per_second=deliver.rate_per_second, burst_count=max(1, round(deliver.rate_per_second))
    )
    if deliver.daily_quota is None:
        return bucket
    reserve = round(deliver.daily_quota * RESERVE_SHARE)
    return Budgets(DailyQuota(clock=clock, maximum=deliver.daily_quota, reserve_count=reserve), bucket)
