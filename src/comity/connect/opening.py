"""Turning a system's settings into an open connector."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from comity.connect.types import Budget, Connector, ConnectorContext, ConnectorSettings, ConnectorSpec, SettingsInvalid
from comity.kernel.clock import Clock
from comity.kernel.egress import Egress


def read_settings(spec: ConnectorSpec, settings: Mapping[str, Any]) -> ConnectorSettings:
    """Check the settings of a system. Raises `SettingsInvalid` naming connector, place and what was expected."""
    try:
        return msgspec.convert(dict(settings), type=spec.settings, strict=True)
    except msgspec.ValidationError as error:
        message = f"The settings of connector {spec.name} are not right: {error}"
        raise SettingsInvalid(message, details={"connector": spec.name}) from error


def check_secrets(spec: ConnectorSpec, names: set[str]) -> None:
    """Raise `SettingsInvalid` when a secret is missing or is one the connector does not know."""
    missing = sorted(set(spec.secrets_required) - names)
    if missing:
        raise SettingsInvalid(f"The connector {spec.name} needs the secrets: {', '.join(missing)}.")
    unknown = sorted(names - set(spec.secrets_required) - set(spec.secrets_optional))
    if unknown and "*" not in spec.secrets_optional:
        known = ", ".join((*spec.secrets_required, *spec.secrets_optional)) or "none"
        raise SettingsInvalid(f"The connector {spec.name} knows no secret {', '.join(unknown)}. Known are: {known}.")


def open_connector(
    spec: ConnectorSpec,
    *,
    settings: Mapping[str, Any],
    secrets: Mapping[str, str],
    clock: Clock,
    egress: Egress | None = None,
    budget: Budget | None = None,
    save_secret: Callable[[str, str], None] | None = None,
) -> Connector:
    """Open a connector; nothing is called yet. Without `egress` it gets a client of its own made from its settings.

    Raises `SettingsInvalid`.
    """
    checked = read_settings(spec, settings)
    check_secrets(spec, set(secrets))
    client = egress or Egress(ca_file=checked.ca_file, proxy=checked.proxy)
    context = ConnectorContext(
        settings=checked, secrets=secrets, egress=client, clock=clock, budget=budget, save_secret=save_secret
    )
    return spec.build(context)
