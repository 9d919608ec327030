"""Settings of a running Comity: environment, over defaults; flags of a command over both.

Unknown COMITY_ variables are errors: a misspelt setting never passes silently.
"""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from comity.kernel.errors import Invalid

PREFIX = "COMITY_"
SECRET_NAMES = frozenset({"database_url", "database_owner_url"})


class SettingInvalid(Invalid):
    """A setting cannot be used."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a Comity process is told from outside."""

    database_url: Annotated[
        str | None, Meta(description="PostgreSQL 15 or newer to use; without it the embedded one is started.")
    ] = None
    database_owner_url: Annotated[
        str | None,
        Meta(
            description="The same database for the role that owns the ledger's tables; used where the schema changes. "
            "With it the hub's own role can change nothing that was posted."
        ),
    ] = None
    data_dir: Annotated[Path, Meta(description="Where the embedded PostgreSQL keeps its data.")] = Path("var")
    project_dir: Annotated[
        Path, Meta(description="Directory of the project's YAML files; secrets in files are found from it.")
    ] = Path()
    secrets_dir: Annotated[
        Path, Meta(description="Directory, beside the project's, whose files may hold secrets of systems.")
    ] = Path("/run/secrets")
    host: Annotated[str, Meta(description="Address to listen on.", min_length=1)] = "127.0.0.1"
    port: Annotated[int, Meta(description="Port to listen on.", ge=1, le=65535)] = 8080
    public_url: Annotated[
        str | None,
        Meta(description="How others reach this hub, such as https://hub.example.com; webhook signatures need it."),
    ] = None
    tls_certificate: Annotated[
        Path | None, Meta(description="Certificate chain (PEM); with it the hub speaks TLS 1.3 only.")
    ] = None
    tls_key: Annotated[Path | None, Meta(description="Private key of the certificate (PEM, PKCS#8).")] = None
    web_workers: Annotated[
        int, Meta(description="Processes that answer requests; under load one for each processor.", ge=1, le=64)
    ] = 1
    unify_batch_max: Annotated[
        int, Meta(description="How many changes are worked through in one transaction.", ge=1, le=10_000)
    ] = 1000
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="What is logged at least.")] = (
        "info"
    )

    @property
    def base_url(self) -> str:
        """Where others reach this hub."""
        if self.public_url:
            return self.public_url.rstrip("/")
        scheme = "https" if self.tls_certificate else "http"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}"


TEST_NAMES = frozenset({"test_dsn", "test_seed", "test_soak"})
"""Variables that belong to the tests, not to a running Comity."""


def read_settings(environment: Mapping[str, str], **flags: Any) -> Settings:
    """Return settings from COMITY_* variables, with the flags that are not None over them. Raises SettingInvalid.

    An empty variable counts as not set.
    """
    known = set(Settings.__struct_fields__)
    values: dict[str, Any] = {}
    for variable, value in environment.items():
        name = variable.removeprefix(PREFIX).lower()
        if not variable.startswith(PREFIX) or name in TEST_NAMES:
            continue
        if name not in known:
            raise _unknown(variable, name, known)
        if value:
            values[name] = value
    values.update({name: value for name, value in flags.items() if value is not None})
    try:
        settings = msgspec.convert(values, Settings, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$.")
        setting = f"{PREFIX}{place.rstrip('`').upper()}"
        raise SettingInvalid(
            f"{setting} cannot be used: {message}.",
            details={"setting": setting, "remedy": "Correct it; `comity settings` shows what is in force."},
        ) from error
    _check(settings)
    return settings


def describe(settings: Settings, environment: Mapping[str, str], **flags: Any) -> list[tuple[str, str, str]]:
    """Return (name, value, where it comes from), secrets masked."""
    rows: list[tuple[str, str, str]] = []
    for name in Settings.__struct_fields__:
        value = getattr(settings, name)
        source = "default"
        if environment.get(f"{PREFIX}{name.upper()}"):
            source = "environment"
        if flags.get(name) is not None:
            source = "flag"
        shown = "****" if name in SECRET_NAMES and value else "" if value is None else str(value)
        rows.append((f"{PREFIX}{name.upper()}", shown, source))
    return rows


def _unknown(variable: str, name: str, known: set[str]) -> SettingInvalid:
    near = difflib.get_close_matches(name, known, n=1)
    remedy = f"Did you mean {PREFIX}{near[0].upper()}?" if near else "Remove it, or use one of those that are known."
    return SettingInvalid(
        f"{variable} is not a setting of Comity. {remedy}",
        details={"remedy": remedy, "known": sorted(f"{PREFIX}{each.upper()}" for each in known)},
    )


def _check(settings: Settings) -> None:
    """Refuse what can be seen to be wrong before anything starts."""
    if (settings.tls_certificate is None) != (settings.tls_key is None):
        raise SettingInvalid(
            "A certificate needs its key, and a key its certificate.",
            details={"remedy": "Set both COMITY_TLS_CERTIFICATE and COMITY_TLS_KEY, or neither."},
        )
    if settings.database_owner_url and not settings.database_url:
        raise SettingInvalid(
            "COMITY_DATABASE_OWNER_URL goes with COMITY_DATABASE_URL; the embedded database has an owner of its own.",
            details={"remedy": "Set both, or neither."},
        )
    for name in ("tls_certificate", "tls_key"):
        path: Path | None = getattr(settings, name)
        if path is not None and not path.is_file():
            raise SettingInvalid(
                f"{PREFIX}{name.upper()} names {path}, where there is no file.",
                details={"remedy": "Correct the path; relative ones start where the process was started."},
            )
    if settings.public_url is not None:
        parts = urlsplit(settings.public_url)
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.query or parts.fragment:
            raise SettingInvalid(
                f"COMITY_PUBLIC_URL is no address: {settings.public_url}.",
                details={"remedy": "Write it like https://hub.example.com."},
            )


def _decode(kind: type, value: Any) -> Any:
    if kind is Path:
        return Path(value)
    raise NotImplementedError
