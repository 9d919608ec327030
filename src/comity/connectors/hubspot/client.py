"""Settings, login and calls of one HubSpot account."""

import re
from typing import Any, Literal

from msgspec import field

from comity.connect.auth import Auth, OAuth, bearer
from comity.connect.http import Caller, json_object
from comity.connect.types import CallFailed, ConnectorContext, ConnectorSettings, SettingsInvalid
from comity.connectors.hubspot import errors
from comity.kernel.egress import Response

_STREAM = re.compile(r"[a-z0-9_\-]+")


class HubSpotSettings(ConnectorSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One account.

    `api_version` is `v3` or a dated one such as `2026-03`. The search index lags behind, so a poll looks at changes
    up to `index_lag_seconds` ago and reads `lookback_seconds` of the time before once more. The archived list cannot
    be filtered by time: it is read whole every `archived_every_seconds`. `public_url` is what HubSpot calls, when
    that is not the address the hub itself sees.
    """

    base_url: str = "https://api.hubapi.com"
    api_version: str = "v3"
    auth: Literal["token", "refresh_token"] = "token"
    unique_property: str = "global_id"
    property_group: str = "contactinformation"
    page_size: int = 200
    index_lag_seconds: int = 60
    lookback_seconds: int = 300
    archived_every_seconds: int = 900
    check_streams: tuple[str, ...] = ("contacts",)
    changed_properties: dict[str, str] = field(default_factory=dict)
    app_id: int | None = None
    public_url: str | None = None
    webhook_concurrency: int = 10


class HubSpotClient:
    """The calls every part of the connector makes."""

    def __init__(self, context: ConnectorContext) -> None:
        """Check what the settings need together with the secrets. Raises `SettingsInvalid`."""
        settings: HubSpotSettings = context.settings
        if not 1 <= settings.page_size <= 200:
            raise SettingsInvalid("page_size lies between 1 and 200.")
        self.settings = settings
        self.clock = context.clock
        self.secrets = context.secrets
        self._budget = context.budget
        self.caller = Caller(
            context,
            base_url=settings.base_url,
            auth=_auth(context, settings),
            classify=self._classify,
            timeout_seconds=settings.timeout_seconds,
        )

    def objects_path(self, stream: str) -> str:
        """The path of an object type, in the numbered or the dated form. Raises `SettingsInvalid`."""
        return self.path("objects", stream)

    def path(self, kind: str, stream: str) -> str:
        """`/crm/v3/objects/contacts` or `/crm/objects/2026-03/contacts`; `kind` is objects or properties."""
        if not _STREAM.fullmatch(stream):
            raise SettingsInvalid(f"{stream!r} is no HubSpot object type, such as contacts or 2-12345.")
        version = self.settings.api_version
        return f"/crm/{version}/{kind}/{stream}" if version.startswith("v") else f"/crm/{kind}/{version}/{stream}"

    def changed_property(self, stream: str) -> str:
        """The property with the time of the last change; contacts have another one than everything else."""
        default = "lastmodifieddate" if stream in {"contacts", "0-1"} else "hs_lastmodifieddate"
        return self.settings.changed_properties.get(stream, default)

    def post(self, path: str, json: Any, *, is_write: bool, params: dict[str, str] | None = None) -> dict[str, Any]:
        """Post JSON; `is_write` is false for searches and batch reads."""
        return json_object(self.caller.call("POST", path, json=json, params=params, is_write=is_write))

    def get(self, path: str, **params: str) -> dict[str, Any]:
        """Read a resource."""
        return json_object(self.caller.call("GET", path, params=params))

    def _classify(self, response: Response) -> CallFailed | None:
        maximum, remaining = (response.header(f"X-HubSpot-RateLimit-Daily{end}") for end in ("", "-Remaining"))
        if self._budget is not None and (maximum or "").isdecimal() and (remaining or "").isdecimal():
            self._budget.report(used_count=int(maximum or 0) - int(remaining or 0), maximum=int(maximum or 0))
        return errors.classify(response, self.clock)


def _auth(context: ConnectorContext, settings: HubSpotSettings) -> Auth:
    secrets = context.secrets
    if settings.auth == "token":
        if not secrets.get("token"):
            raise SettingsInvalid("HubSpot with auth: token needs the secret `token`.")
        return bearer(secrets["token"])
    missing = [name for name in ("client_id", "client_secret", "refresh_token") if not secrets.get(name)]
    if missing:
        raise SettingsInvalid(f"HubSpot with auth: refresh_token needs the secrets {', '.join(missing)}.")
    save = context.save_secret
    return OAuth(
        egress=context.egress,
        clock=context.clock,
        token_url=f"{settings.base_url.rstrip('/')}/oauth/v3/token",
        client_id=secrets["client_id"],
        client_secret=secrets["client_secret"],
        refresh_token=secrets["refresh_token"],
        timeout_seconds=settings.timeout_seconds,
        save_refresh_token=(lambda token: save("refresh_token", token)) if save else None,
    )
