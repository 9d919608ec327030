"""Faults a test asks for: which calls fail, how often, and how."""

from fnmatch import fnmatchcase
from typing import Any, Literal

import msgspec

FAULTS_MAX = 100


class FaultRule(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The next `count` calls that fit get this fault.

    `status` answers without applying; `drop` closes the connection before the answer, after applying the call
    (or before it, with `is_applied: false`); `delay` answers late; `lock` lets the rows of the call be locked.
    """

    kind: Literal["status", "drop", "delay", "lock"]
    path: str = "*"
    """Shell pattern for the path, for example `*/composite/sobjects*`."""
    method: str = "*"
    count: int = 1
    skip: int = 0
    """So many fitting calls pass unharmed first."""
    status: int = 503
    body: Any = None
    headers: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    seconds: float = 0.0
    is_applied: bool = True


class FaultOrder(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Body of `/_sandbox/faults`."""

    rules: list[FaultRule] = msgspec.field(default_factory=list[FaultRule])
    daily_remaining: int | None = None
    """Leave this many calls for today."""
    has_locators_expired: bool = False
    """Salesforce: the locators of open queries are gone."""
    webhooks_dropped: int = 0
    """HubSpot: the next so many events are never delivered."""
    webhooks_doubled: int = 0
    """HubSpot: the next so many events are delivered twice."""


class Faults:
    """The rules that still have calls to spoil."""

    def __init__(self) -> None:
        """Start without faults."""
        self.rules: list[FaultRule] = []

    def add(self, rules: list[FaultRule]) -> None:
        """Add rules behind those that wait; rules beyond the limit are refused."""
        if len(self.rules) + len(rules) > FAULTS_MAX:
            raise ValueError(f"At most {FAULTS_MAX} fault rules at a time.")
        self.rules.extend(rules)

    def clear(self) -> None:
        """Forget all rules."""
        self.rules.clear()

    def take(self, *, method: str, path: str) -> list[FaultRule]:
        """Return the faults of this call and use them up; of several `status` or `drop` rules the first counts."""
        taken: list[FaultRule] = []
        has_ending = False
        for rule in self.rules:
            if rule.method not in {"*", method} or not fnmatchcase(path, rule.path):
                continue
            is_ending = rule.kind in {"status", "drop"}
            if is_ending and has_ending:
                continue
            if rule.skip > 0:
                rule.skip -= 1
                continue
            rule.count -= 1
            has_ending = has_ending or is_ending
            taken.append(rule)
        self.rules = [rule for rule in self.rules if rule.count > 0]
        return taken
