"""Settings, login and calls of one Salesforce organisation."""

from collections.abc import Iterator
from typing import Any, Literal

from msgspec import field

from comity.connect.auth import Auth, OAuth, bearer
from comity.connect.http import Caller, json_object, objects_in
from comity.connect.types import CallFailed, ConnectorContext, ConnectorSettings, SettingsInvalid
from comity.connectors.salesforce import errors
from comity.kernel.egress import Response

PAGES_OF_QUERY_MAX = 1_000


class SalesforceSettings(ConnectorSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One organisation.

    `auth`: `token` takes a session or bearer token as it is; `client_credentials` and `refresh_token` log in at the
    organisation's own host. `stamp_fields` names another change field for objects that cannot be filtered by
    `SystemModstamp`. A long transaction may commit rows with a stamp that polling has already passed, so every
    `overlap_every_seconds` the last `lookback_seconds` are read again, and the last `overlap_seconds` always.
    """

    instance_url: str
    api_version: str = "66.0"
    auth: Literal["token", "client_credentials", "refresh_token"] = "token"
    client_id: str | None = None
    external_id_field: str = "Global_Id__c"
    client_name: str = "comity"
    allow_duplicates: bool = False
    page_size: int = 2_000
    overlap_seconds: int = 10
    lookback_seconds: int = 600
    overlap_every_seconds: int = 60
    deletes_every_seconds: int = 30
    check_streams: tuple[str, ...] = ("Contact",)
    stamp_fields: dict[str, str] = field(default_factory=dict)


class SalesforceClient:
    """The calls every part of the connector makes."""

    def __init__(self, context: ConnectorContext) -> None:
        """Check what the settings need together with the secrets. Raises `SettingsInvalid`."""
        settings: SalesforceSettings = context.settings
        if not settings.instance_url.startswith(("https://", "http://")):
            raise SettingsInvalid("instance_url begins with https://, as in https://example.my.salesforce.com.")
        if not 1 <= settings.page_size <= 2_000:
            raise SettingsInvalid("page_size lies between 1 and 2000.")
        self.settings = settings
        self.clock = context.clock
        self._budget = context.budget
        self.data_path = f"/services/data/v{settings.api_version}"
        self.caller = Caller(
            context,
            base_url=settings.instance_url,
            auth=_auth(context, settings),
            classify=self._classify,
            timeout_seconds=settings.timeout_seconds,
        )

    def get(self, path: str, **params: str) -> dict[str, Any]:
        """Read a resource below the versioned data path."""
        return json_object(self.caller.call("GET", f"{self.data_path}{path}", params=params))

    def query(self, soql: str, *, is_all: bool = False) -> Iterator[dict[str, Any]]:
        """The rows of a query, all its pages; `is_all` includes deleted and merged rows."""
        answer = self.get("/queryAll" if is_all else "/query", q=soql)
        for _ in range(PAGES_OF_QUERY_MAX):
            yield from objects_in(answer.get("records"))
            following = answer.get("nextRecordsUrl")
            if answer.get("done") is not False or not isinstance(following, str):
                return
            answer = json_object(self.caller.call("GET", following))

    def write_headers(self) -> dict[str, str]:
        """What marks our writes in change events (`changeOrigin`), and whether duplicate rules may be passed."""
        headers = {"Sforce-Call-Options": f"client={self.settings.client_name}"}
        if self.settings.allow_duplicates:
            headers["Sforce-Duplicate-Rule-Header"] = "allowSave=true"
        return headers

    def _classify(self, response: Response) -> CallFailed | None:
        used = errors.usage(response.header("Sforce-Limit-Info"))
        if used is not None and self._budget is not None:
            self._budget.report(used_count=used[0], maximum=used[1])
        return errors.classify(response, self.clock)


def _auth(context: ConnectorContext, settings: SalesforceSettings) -> Auth:
    secrets = context.secrets
    if settings.auth == "token":
        if not secrets.get("token"):
            raise SettingsInvalid("Salesforce with auth: token needs the secret `token`.")
        return bearer(secrets["token"])
    client_id = settings.client_id or secrets.get("client_id")
    needed = {"client_id": client_id, "client_secret": secrets.get("client_secret")}
    if settings.auth == "refresh_token":
        needed["refresh_token"] = secrets.get("refresh_token")
    missing = [name for name, value in needed.items() if not value]
    if missing:
        raise SettingsInvalid(f"Salesforce with auth: {settings.auth} needs {', '.join(missing)}.")
    save = context.save_secret
    return OAuth(
        egress=context.egress,
        clock=context.clock,
        token_url=f"{settings.instance_url.rstrip('/')}/services/oauth2/token",
        client_id=client_id or "",
        client_secret=secrets["client_secret"],
        refresh_token=secrets.get("refresh_token") if settings.auth == "refresh_token" else None,
        timeout_seconds=settings.timeout_seconds,
        save_refresh_token=(lambda token: save("refresh_token", token)) if save else None,
    )
