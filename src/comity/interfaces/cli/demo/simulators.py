"""The simulated CRMs, as their users see them: edit, look, count."""

from pathlib import Path
from typing import Any

import msgspec

from comity.interfaces.cli.demo.cast import WRITTEN_ONLY, Crm
from comity.interfaces.cli.demo.processes import Child, clean_environment
from comity.kernel.egress import Egress
from comity.kernel.errors import Unavailable
from comity.sandbox.types import SandboxReady

API_VERSION = "66.0"


class SimulatorRefused(Unavailable):
    """A simulated system did not answer as expected."""


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """Calls and records that came over a system's API since its start."""

    read_calls: int
    write_calls: int
    records_written: int


class Simulator:
    """One simulated CRM in a process of its own."""

    def __init__(self, crm: Crm, *, people: Path, log: Path, egress: Egress) -> None:
        """Start it with its people; `wait_ready` says when it listens."""
        self.crm = crm
        self._egress = egress
        self._ready: SandboxReady | None = None
        arguments = ["comity.sandbox", crm.kind, "--seed", str(crm.seed), "--people", str(people)]
        self.child = Child(arguments, name=crm.title, log=log, environment=clean_environment())

    def wait_ready(self) -> SandboxReady:
        """Return how to reach it."""
        if self._ready is None:
            self._ready = msgspec.convert(self.child.wait_ready(), SandboxReady)
        return self._ready

    def edit(self, external_id: str, **fields: str) -> None:
        """Edit a record as a user of the CRM would, by attribute."""
        named = {self.crm.fields[attribute]: value for attribute, value in fields.items()}
        self._call("POST", "/_sandbox/edit", json={"object": self.crm.stream, "id": external_id, "fields": named})

    def show_edit(self, external_id: str) -> str:
        """Return a command that edits the city of a record as a user of the CRM would."""
        order = {"object": self.crm.stream, "id": external_id, "fields": {self.crm.fields["city"]: "perth"}}
        return f"curl -d '{msgspec.json.encode(order).decode()}' {self.wait_ready().url}/_sandbox/edit"

    def show(self, external_id: str) -> dict[str, str | None]:
        """Return a record by attribute, everything as text."""
        params = {"object": self.crm.stream, "field": self.crm.id_field, "value": external_id}
        records = self._call("GET", "/_sandbox/find", params=params)["records"]
        fields: dict[str, Any] = records[0]["fields"] if records else {}
        return {attribute: _to_text(fields.get(name)) for attribute, name in self.crm.fields.items()}

    def read_traffic(self) -> Traffic:
        """Return what came over the API so far."""
        state = self._call("GET", "/_sandbox/state")
        return Traffic(
            read_calls=state["calls"]["read"],
            write_calls=state["calls"]["write"],
            records_written=state["writes"]["api"]["records"],
        )

    def count_filled(self, attribute: str) -> int:
        """Count the records whose field holds something, by the vendor's own API."""
        field = self.crm.fields[attribute]
        headers = {"authorization": f"Bearer {self.wait_ready().token}"}
        if self.crm.kind == "salesforce":
            query = {"q": f"SELECT COUNT() FROM {self.crm.stream} WHERE {field} != null"}  # noqa: S608 - SOQL, of our own words.
            path = f"/services/data/v{API_VERSION}/query"
            return int(self._call("GET", path, params=query, headers=headers)["totalSize"])
        search = {"filterGroups": [{"filters": [{"propertyName": field, "operator": "HAS_PROPERTY"}]}], "limit": 1}
        path = f"/crm/v3/objects/{self.crm.stream}/search"
        return int(self._call("POST", path, json=search, headers=headers)["total"])

    def send_webhooks_to(self, url: str) -> None:
        """Subscribe to what the project reads, as the CRM's administrator would in the settings of an app."""
        ready = self.wait_ready()
        root = f"/webhooks/v3/{ready.app_id}"
        headers = {"authorization": f"Bearer {ready.token}"}
        settings = {"targetUrl": url, "throttling": {"maxConcurrentRequests": 10}}
        self._call("PUT", f"{root}/settings", json=settings, headers=headers)
        wanted: list[dict[str, Any]] = [{"eventType": f"contact.{kind}"} for kind in ("creation", "deletion", "merge")]
        wanted += [
            {"eventType": "contact.propertyChange", "propertyName": field}
            for attribute, field in self.crm.fields.items()
            if attribute not in WRITTEN_ONLY
        ]
        for subscription in wanted:
            body = {**subscription, "active": True}
            self._call("POST", f"{root}/subscriptions", json=body, headers=headers)

    def _call(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        url = self.wait_ready().url + path
        answer = self._egress.request(method, url, json=json, params=params, headers=headers)
        if not 200 <= answer.status < 300:
            raise SimulatorRefused(f"{self.crm.title} answered {answer.status} to {path}: {answer.excerpt()}")
        return answer.json()


def _to_text(value: Any) -> str | None:
    """Return a value as text; a Salesforce number comes as a float."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return None if value is None else str(value)
