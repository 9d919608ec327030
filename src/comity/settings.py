"""Settings of a running Comity: environment, over defaults; flags of a command over both.

Unknown COMITY_ variables are errors: a misspelt setting never passes silently.
"""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from comity.kernel.errors import Invalid

PREFIX = "COMITY_"
SECRET_NAMES = frozenset({"database_url"})


class SettingInvalid(Invalid):
    """A setting cannot be used."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a Comity process is told from outside."""

    database_url: str | None = None
    data_dir: Path = Path("var")
    project_dir: Path = Path()
    host: str = "127.0.0.1"
    port: int = 8080
    public_url: str | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    unify_batch_max: int = 1000
    log_level: str = "info"

    @property
    def base_url(self) -> str:
        """Where others reach this hub."""
        scheme = "https" if self.tls_certificate else "http"
        return self.public_url or f"{scheme}://{self.host}:{self.port}"


TEST_NAMES = frozenset({"test_dsn", "test_seed", "test_soak"})
"""Variables that belong to the tests, not to a running Comity."""


def read_settings(environment: Mapping[str, str], **flags: Any) -> Settings:
    """Return settings from COMITY_* variables, with the flags that are not None over them. Raises SettingInvalid."""
    known = set(Settings.__struct_fields__)
    values: dict[str, Any] = {}
    for variable, value in environment.items():
        if not variable.startswith(PREFIX):
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name in TEST_NAMES:
            continue
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {PREFIX}{near[0].upper()}?" if near else ""
            raise SettingInvalid(f"{variable} is not a setting of Comity.{hint}", details={"known": sorted(known)})
        if value:
            values[name] = value
    values.update({name: value for name, value in flags.items() if value is not None})
    try:
        return msgspec.convert(values, Settings, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise SettingInvalid(f"A setting cannot be used: {error}.") from error


def describe(settings: Settings, environment: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return (name, value, where it comes from), secrets masked."""
    rows: list[tuple[str, str, str]] = []
    for name in Settings.__struct_fields__:
        value = getattr(settings, name)
        source = "environment" if f"{PREFIX}{name.upper()}" in environment else "default"
        shown = "****" if name in SECRET_NAMES and value else str(value)
        rows.append((f"{PREFIX}{name.upper()}", shown, source))
    return rows


def _decode(kind: type, value: Any) -> Any:
    if kind is Path:
        return Path(value)
    raise NotImplementedError
