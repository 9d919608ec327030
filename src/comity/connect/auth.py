"""Ways to prove who we are to a system. What a way hands out is put on every call by `Caller`."""

from base64 import b64encode
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, Protocol, cast

from msgspec import Struct

from comity.connect.types import CallFailed, ErrorClass
from comity.kernel.clock import Clock
from comity.kernel.egress import Egress, EgressFailed, Response

EXPIRY_MARGIN_SECONDS = 60.0
_SERVER_ERROR = 500


class Credentials(Struct, frozen=True, kw_only=True):
    """What goes on a call. `token` tells one set from the next."""

    headers: Mapping[str, str] = {}
    params: Mapping[str, str] = {}
    token: str = ""


class Auth(Protocol):
    """A way to authorise calls."""

    def credentials(self) -> Credentials:
        """Credentials that are good as far as we know; may call the system. Raises `CallFailed`."""
        ...

    def renew(self, refused: Credentials) -> bool:
        """Get others after a system refused these; True when there are others to try. Raises `CallFailed`."""
        ...


class FixedAuth:
    """Credentials that never change: a refusal is final."""

    def __init__(self, credentials: Credentials) -> None:
        """Take the credentials."""
        self._credentials = credentials

    def credentials(self) -> Credentials:
        """The same every time."""
        return self._credentials

    def renew(self, refused: Credentials) -> bool:
        """There are no others."""
        del refused
        return False


def no_auth() -> Auth:
    """For systems that ask for nothing."""
    return FixedAuth(Credentials())


def bearer(token: str) -> Auth:
    """A fixed bearer token."""
    return FixedAuth(Credentials(headers={"Authorization": f"Bearer {token}"}, token=token))


def basic(user: str, password: str) -> Auth:
    """User and password on every call."""
    encoded = b64encode(f"{user}:{password}".encode()).decode()
    return FixedAuth(Credentials(headers={"Authorization": f"Basic {encoded}"}, token=encoded))


def api_key_header(name: str, key: str, *, prefix: str = "") -> Auth:
    """A key in a header of its own."""
    return FixedAuth(Credentials(headers={name: f"{prefix}{key}"}, token=key))


def api_key_query(name: str, key: str) -> Auth:
    """A key in the query string; prefer a header where the system allows it, since URLs end up in logs."""
    return FixedAuth(Credentials(params={name: key}, token=key))


class OAuth:
    """A bearer token from a token endpoint (RFC 6749): client credentials or a refresh token.

    One request for a token at a time, whatever the number of threads; a token is exchanged before it expires
    (`expires_in` less a margin), or after a refusal where the system states no life time. A rotated refresh token is
    handed to `save_refresh_token` before it is used.
    """

    def __init__(
        self,
        *,
        egress: Egress,
        clock: Clock,
        token_url: str,
        client_id: str,
        client_secret: str,
        refresh_token: str | None = None,
        scope: str | None = None,
        is_basic: bool = False,
        timeout_seconds: float = 30.0,
        save_refresh_token: Callable[[str], None] | None = None,
    ) -> None:
        """Ask nothing yet. `is_basic` sends id and secret in the Authorization header instead of the form."""
        self._egress = egress
        self._clock = clock
        self._token_url = token_url
        self._client_id = client_id
        self._client_secret = client_secret
        self._refresh_token = refresh_token
        self._scope = scope
        self._is_basic = is_basic
        self._timeout_seconds = timeout_seconds
        self._save_refresh_token = save_refresh_token
        self._lock = Lock()
        self._token: str | None = None
        self._expires_at: float | None = None

    def credentials(self) -> Credentials:
        """The present token, or a new one when there is none or it is about to expire."""
        with self._lock:
            if self._token is None or self._is_expiring():
                self._request_token()
            return Credentials(headers={"Authorization": f"Bearer {self._token}"}, token=self._token or "")

    def renew(self, refused: Credentials) -> bool:
        """Get a new token, unless another thread did so meanwhile."""
        with self._lock:
            if self._token == refused.token:
                self._request_token()
            return True

    def _is_expiring(self) -> bool:
        return self._expires_at is not None and self._clock.monotonic() >= self._expires_at

    def _request_token(self) -> None:
        form = {"grant_type": "refresh_token" if self._refresh_token else "client_credentials"}
        headers: dict[str, str] = {"Accept": "application/json"}
        if self._refresh_token:
            form["refresh_token"] = self._refresh_token
        if self._scope:
            form["scope"] = self._scope
        if self._is_basic:
            encoded = b64encode(f"{self._client_id}:{self._client_secret}".encode()).decode()
            headers["Authorization"] = f"Basic {encoded}"
        else:
            form |= {"client_id": self._client_id, "client_secret": self._client_secret}
        try:
            response = self._egress.request(
                "POST", self._token_url, headers=headers, form=form, timeout_seconds=self._timeout_seconds
            )
        except EgressFailed as error:
            message = f"The token endpoint could not be reached: {error}"
            raise CallFailed(error_class=ErrorClass.TRANSIENT, message=message) from error
        self._take_token(_token_answer(response))

    def _take_token(self, answer: dict[str, Any]) -> None:
        self._token = str(answer["access_token"])
        life_seconds = answer.get("expires_in")
        self._expires_at = None
        if isinstance(life_seconds, int | float | str) and str(life_seconds).replace(".", "", 1).isdecimal():
            life = float(life_seconds)
            self._expires_at = self._clock.monotonic() + max(life - EXPIRY_MARGIN_SECONDS, life / 2)
        rotated = answer.get("refresh_token")
        if self._refresh_token and isinstance(rotated, str) and rotated != self._refresh_token:
            if self._save_refresh_token:
                self._save_refresh_token(rotated)
            self._refresh_token = rotated


def _token_answer(response: Response) -> dict[str, Any]:
    try:
        decoded = response.json()
    except ValueError:
        decoded = None
    answer = cast("dict[str, Any]", decoded) if isinstance(decoded, dict) else {}
    if response.status < 300 and answer.get("access_token"):
        return answer
    code = str(answer.get("error") or answer.get("category") or f"http_{response.status}")
    text = str(answer.get("error_description") or answer.get("message") or "no explanation given")
    error_class = ErrorClass.AUTH_EXPIRED
    if response.status == 429:
        error_class = ErrorClass.LIMIT_SHORT
    elif response.status >= _SERVER_ERROR:
        error_class = ErrorClass.TRANSIENT
    raise CallFailed(
        error_class=error_class,
        message=f"The token endpoint gave no token ({code}): {text}",
        retry_after_seconds=10.0 if response.status == 429 else None,
        reason_code=code,
    )
