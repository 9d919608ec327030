"""What crosses the door of the sandbox."""

from pathlib import Path
from typing import Literal

import msgspec

SandboxKind = Literal["salesforce", "hubspot"]


class SandboxOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a simulated system differs from a generous, empty one."""

    has_loyalty_fields: bool = True
    """Our fields exist already (Global_Id__c, loyalty_id, ...), so that nothing has to be provisioned first."""
    people_object: str | None = None
    """Object the people of the CSV file belong to; None: Contact, contacts."""
    has_one_stamp: bool = False
    """All people of the CSV file were last changed at the same moment, as after a bulk import."""
    has_documented_limits: bool = False
    """HubSpot: 190 calls in 10 s, 650,000 a day, 5 searches a second; Salesforce: 100,000 calls a day."""
    search_lag_seconds: float = 0.0
    """HubSpot: how long a write stays invisible to search."""
    session_seconds: int = 7200
    """Salesforce: life of a token from the token endpoint (the printed token does not expire)."""
    webhook_ca_file: Path | None = None
    """HubSpot: certificate authority to trust when the webhook target speaks TLS."""
    webhook_retry_seconds: tuple[float, ...] = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 60.0, 120.0)
    """HubSpot: pauses between the (at most ten) retries of a delivery; HubSpot itself spreads them over a day."""


class SandboxReady(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach a running sandbox; the command line prints it as one JSON line."""

    kind: SandboxKind
    url: str
    token: str
    ca_file: str | None
    client_secret: str | None
    app_id: int | None
    portal_id: int | None
    people_count: int
