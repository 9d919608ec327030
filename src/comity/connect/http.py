"""Calls to a system: authorised, within budget, with errors told by class."""

from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast
from urllib.parse import urljoin

from comity.connect.auth import Auth
from comity.connect.types import Budget, CallFailed, ConnectorContext, ErrorClass
from comity.kernel.clock import Clock
from comity.kernel.egress import EgressFailed, RequestUnusable, Response

Classify = Callable[[Response], CallFailed | None]

_READ_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_BY_STATUS = {
    400: ErrorClass.VALIDATION,
    401: ErrorClass.AUTH_EXPIRED,
    403: ErrorClass.FORBIDDEN,
    404: ErrorClass.NOT_FOUND,
    405: ErrorClass.UNSUPPORTED,
    408: ErrorClass.TRANSIENT,
    409: ErrorClass.CONFLICT,
    410: ErrorClass.GONE,
    412: ErrorClass.PRECONDITION,
    422: ErrorClass.VALIDATION,
    423: ErrorClass.LOCK,
    425: ErrorClass.TRANSIENT,
    429: ErrorClass.LIMIT_SHORT,
    501: ErrorClass.UNSUPPORTED,
}
_SHORT_SECONDS_MAX = 120.0


class Caller:
    """Makes the calls of one connected system.

    An expired login is renewed and the call made again, once. Nothing else is tried again here: when and how often
    is the business of whoever owns the work.
    """

    def __init__(
        self,
        context: ConnectorContext,
        *,
        base_url: str,
        auth: Auth,
        classify: Classify,
        timeout_seconds: float,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Take what every call of this system shares; `classify` says what an answer means, None for success."""
        self._egress = context.egress
        self._clock: Clock = context.clock
        self._budget: Budget | None = context.budget
        self._base_url = base_url.rstrip("/") + "/"
        self._auth = auth
        self._classify = classify
        self._timeout_seconds = timeout_seconds
        self._headers = dict(headers or {})

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        is_write: bool | None = None,
    ) -> Response:
        """Make one call and return its successful answer.

        `path` is below the base URL, or an absolute URL on the same host. `is_write` tells whether a lost answer may
        have changed something; by default every method but GET may. Raises `CallFailed`.
        """
        changes = method.upper() not in _READ_METHODS if is_write is None else is_write
        url = self._url(path)
        credentials = self._auth.credentials()
        for attempt in (1, 2):
            sent = {"Accept": "application/json", **self._headers, **(headers or {}), **credentials.headers}
            query = {**(params or {}), **credentials.params}
            response = self._send(method, url, headers=sent, params=query, json=json, changes=changes)
            failure = self._classify(response)
            if failure is None:
                return response
            if failure.error_class is not ErrorClass.AUTH_EXPIRED or attempt == 2 or not self._auth.renew(credentials):
                break
            credentials = self._auth.credentials()
        if changes and failure.error_class in {ErrorClass.TRANSIENT, ErrorClass.UNKNOWN}:
            failure.is_maybe_applied = True
        raise failure

    def _send(
        self, method: str, url: str, *, headers: dict[str, str], params: dict[str, Any], json: Any, changes: bool
    ) -> Response:
        if self._budget is not None:
            self._budget.spend()
        for attempt in (1, 2):
            try:
                return self._egress.request(
                    method,
                    url,
                    headers=headers,
                    params=params or None,
                    json=json,
                    timeout_seconds=self._timeout_seconds,
                )
            except RequestUnusable as error:
                raise CallFailed(error_class=ErrorClass.UNSUPPORTED, message=error.message) from error
            except EgressFailed as error:
                if error.kind == "reset" and not changes and attempt == 1:
                    continue  # A kept-alive connection that the other side had closed; a search may be asked again.
                raise CallFailed(
                    error_class=ErrorClass.TRANSIENT,
                    message=error.message,
                    is_maybe_applied=changes and error.is_maybe_applied,
                    reason_code=f"egress_{error.kind}",
                ) from error
        raise AssertionError  # The second attempt returns or raises.

    def _url(self, path: str) -> str:
        url = urljoin(self._base_url, path if path.startswith("http") else path.lstrip("/"))
        if _origin(url) != _origin(self._base_url):
            message = f"The system sent us to another host ({_origin(url)}); our credentials do not go there."
            raise CallFailed(error_class=ErrorClass.UNSUPPORTED, message=message)
        return url


def _origin(url: str) -> str:
    return "/".join(url.split("/", 3)[:3]).lower()


def decode_json(response: Response) -> Any:
    """The body as JSON, None when it is none (a proxy's HTML page, an empty body)."""
    if not response.body:
        return None
    try:
        return response.json()
    except ValueError:
        return None


def json_object(response: Response) -> dict[str, Any]:
    """The body as a JSON object; raises `CallFailed` (unknown) for anything else."""
    decoded = decode_json(response)
    if isinstance(decoded, dict):
        return cast("dict[str, Any]", decoded)
    message = f"Expected a JSON object (HTTP {response.status}), got: {response.excerpt(80)}"
    raise CallFailed(error_class=ErrorClass.UNKNOWN, message=message)


def objects_in(value: Any) -> list[dict[str, Any]]:
    """The JSON objects in a list; nothing for anything that is no list."""
    if not isinstance(value, list):
        return []
    return [cast("dict[str, Any]", item) for item in cast("list[Any]", value) if isinstance(item, dict)]


def retry_after(response: Response, now: datetime) -> float | None:
    """The Retry-After header in seconds: a number or an HTTP date; None when absent or unreadable."""
    text = (response.header("Retry-After") or "").strip()
    if not text:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (moment - now).total_seconds()) if moment.tzinfo else None


def failure_by_status(response: Response, now: datetime) -> CallFailed | None:
    """What the status alone says, for systems and cases where the body says nothing. None for 2xx."""
    status = response.status
    if 200 <= status < 300:
        return None
    error_class = _BY_STATUS.get(status, ErrorClass.TRANSIENT if status >= 500 else ErrorClass.UNKNOWN)
    after_seconds = retry_after(response, now)
    if error_class is ErrorClass.LIMIT_SHORT and after_seconds is not None and after_seconds > _SHORT_SECONDS_MAX:
        error_class = ErrorClass.LIMIT_LONG
    return CallFailed(
        error_class=error_class,
        message=f"HTTP {status}: {response.excerpt()}",
        retry_after_seconds=after_seconds,
        reason_code=f"http_{status}",
    )
