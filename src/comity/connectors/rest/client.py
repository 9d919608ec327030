"""Login, calls and errors of one REST system."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urljoin

from comity.connect.auth import Auth, OAuth, api_key_header, api_key_query, basic, bearer, no_auth
from comity.connect.batches import verdict_of
from comity.connect.http import Caller, decode_json, failure_by_status
from comity.connect.paths import fill, text_at
from comity.connect.types import CallFailed, ConnectorContext, ErrorClass, Outcome, SettingsInvalid, Verdict, WriteItem
from comity.connectors.rest.settings import (
    ApiKeyAuth,
    BasicAuth,
    BearerAuth,
    NoAuth,
    OAuthAuth,
    RestSettings,
    StreamSettings,
    check_settings,
)
from comity.kernel.egress import Response

_CLASS_OF = {
    Outcome.CONFLICT: ErrorClass.CONFLICT,
    Outcome.RETRY: ErrorClass.TRANSIENT,
    Outcome.REJECTED: ErrorClass.VALIDATION,
    Outcome.GONE: ErrorClass.GONE,
    Outcome.UNKNOWN: ErrorClass.UNKNOWN,
}


class RestClient:
    """The calls every part of the connector makes."""

    def __init__(self, context: ConnectorContext) -> None:
        """Check the description together with the secrets. Raises `SettingsInvalid`."""
        settings: RestSettings = context.settings
        check_settings(settings)
        self.settings = settings
        self.clock = context.clock
        self.secrets = context.secrets
        self.caller = Caller(
            context,
            base_url=settings.base_url,
            auth=_auth(context, settings),
            classify=self._classify,
            timeout_seconds=settings.timeout_seconds,
            headers=settings.headers,
        )

    def stream(self, name: str) -> StreamSettings:
        """The description of a stream. Raises `SettingsInvalid`."""
        described = self.settings.streams.get(name)
        if described is None:
            known = ", ".join(sorted(self.settings.streams))
            raise SettingsInvalid(f"There is no stream {name} in this system; known are {known}.")
        return described

    def send(
        self,
        method: str,
        path: str,
        values: Mapping[str, Any],
        *,
        query: Mapping[str, Any],
        body: Any,
        is_write: bool,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Make a call from templates; values in the path are escaped."""
        in_path = {name: quote(str(value), safe="") for name, value in values.items()}
        return self.caller.call(
            method,
            str(fill(path, in_path)),
            params={str(k): str(v) for k, v in fill(dict(query), values).items()},
            json=fill(body, values) if body is not None and method.upper() != "GET" else None,
            headers=headers,
            is_write=is_write,
        )

    def link(self, path: str, url: str) -> str:
        """A link found in the answer to a call of `path`, as an absolute URL without template places."""
        whole = urljoin(f"{self.settings.base_url.rstrip('/')}/{path.lstrip('/')}", url)
        return whole.replace("{", "%7B").replace("}", "%7D")

    def failure(self, document: Any, response: Response) -> CallFailed | None:
        """What a body or status says, as the description has it; also for errors inside a 200."""
        errors = self.settings.errors
        failure = failure_by_status(response, self.clock.now())
        code = text_at(document, errors.code) if errors.code else None
        outcome = errors.codes.get(code) if code is not None else None
        if outcome is None and failure is not None:
            outcome = errors.statuses.get(str(response.status))
        if outcome in {Outcome.DELIVERED, Outcome.UNCHANGED} or (failure is None and outcome is None):
            return None
        error_class = _CLASS_OF[outcome] if outcome is not None else ErrorClass.UNKNOWN
        if failure is not None and (outcome is None or _agrees(outcome, failure.error_class)):
            error_class = failure.error_class
        return CallFailed(
            error_class=error_class,
            message=(text_at(document, errors.message) if errors.message else None)
            or (failure.message if failure else f"The answer holds the error code {code}."),
            retry_after_seconds=failure.retry_after_seconds if failure else None,
            reason_code=code or (failure.reason_code if failure else None),
            field=text_at(document, errors.field) if errors.field else None,
            existing_id=text_at(document, errors.existing_id) if errors.existing_id else None,
        )

    def verdict(self, item: WriteItem, failure: CallFailed) -> Verdict:
        """The verdict on one item from its failure; a limit or lock means: later."""
        if failure.error_class is ErrorClass.UNSUPPORTED:
            return Verdict(
                key=item.key, outcome=Outcome.REJECTED, reason_code=failure.reason_code, message=failure.message
            )
        return verdict_of(item, failure)

    def _classify(self, response: Response) -> CallFailed | None:
        return self.failure(decode_json(response), response)


def _agrees(outcome: Outcome, error_class: ErrorClass) -> bool:
    """True when the status says more precisely what the description says."""
    waits = {ErrorClass.LIMIT_SHORT, ErrorClass.LIMIT_LONG, ErrorClass.LOCK, ErrorClass.TRANSIENT}
    return outcome is Outcome.RETRY and error_class in waits


def _auth(context: ConnectorContext, settings: RestSettings) -> Auth:
    auth = settings.auth
    match auth:
        case NoAuth():
            return no_auth()
        case BearerAuth():
            return bearer(secret(context.secrets, auth.secret, "auth"))
        case BasicAuth():
            return basic(auth.user, secret(context.secrets, auth.secret, "auth"))
        case ApiKeyAuth():
            key = secret(context.secrets, auth.secret, "auth")
            if auth.header is not None:
                return api_key_header(auth.header, key, prefix=auth.prefix)
            return api_key_query(auth.query or "", key)
        case OAuthAuth():
            refresh_secret, save = auth.refresh_secret, context.save_secret
            return OAuth(
                egress=context.egress,
                clock=context.clock,
                token_url=auth.token_url,
                client_id=auth.client_id,
                client_secret=secret(context.secrets, auth.secret, "auth"),
                refresh_token=secret(context.secrets, refresh_secret, "auth") if refresh_secret else None,
                scope=auth.scope,
                is_basic=auth.is_basic,
                timeout_seconds=settings.timeout_seconds,
                save_refresh_token=(lambda token: save(refresh_secret, token)) if save and refresh_secret else None,
            )


def secret(secrets: Mapping[str, str], name: str, place: str) -> str:
    """A named secret. Raises `SettingsInvalid` naming where it is needed."""
    value = secrets.get(name)
    if not value:
        raise SettingsInvalid(f"{place}: the secret {name} is not set; add it under secrets of the system.")
    return value
