"""The hub under the demo: started by `comity up`, asked over its API, its groups of records read through its doors."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from comity import wiring
from comity.identity import api as identity
from comity.identity.types import RecordKey
from comity.interfaces.cli.demo.processes import Child, clean_environment, run_command
from comity.interfaces.cli.demo.purchases import to_lines
from comity.interfaces.cli.demo.screen import Advance
from comity.interfaces.cli.demo.waiting import Patience, TookTooLong, wait_for
from comity.interfaces.shared.views import ProfileView, StatusView
from comity.kernel.egress import Egress, EgressFailed
from comity.kernel.errors import Unavailable
from comity.profile import api as profile
from comity.profile.types import Explanation
from comity.programme.types import Member
from comity.settings import Settings

BULK_LINES = 1_000
KEYS_MAX = 1_000
QUIET_SECONDS = 1.5
STATUS_SECONDS = 0.25
LEARN_SECONDS_MAX = 10.0


class HubRefused(Unavailable):
    """The hub did not answer as expected."""


class Sent(msgspec.Struct, kw_only=True):
    """What became of events that were sent."""

    accepted: int = 0
    duplicates: int = 0


class Hub:
    """One running hub."""

    def __init__(self, *, data_dir: Path, project_dir: Path, port: int, log: Path, egress: Egress) -> None:
        """Start it; `wait_ready` says when it answers."""
        self.url = f"http://127.0.0.1:{port}"
        self._egress = egress
        self._environment = clean_environment(
            COMITY_DATA_DIR=str(data_dir),
            COMITY_PROJECT_DIR=str(project_dir),
            COMITY_PORT=str(port),
            COMITY_LOG_LEVEL="warning",
        )
        self._settings = Settings(data_dir=data_dir, project_dir=project_dir, port=port)
        self._key = ""
        self._log = log
        self._inside: wiring.Hub | None = None
        self.child = Child(["comity.interfaces.cli", "up"], name="The hub", log=log, environment=self._environment)

    def wait_ready(self) -> None:
        """Wait until it answers, and make the key this demo calls with."""
        self.child.wait_ready()
        wait_for(self._answers, what="The hub answers", seconds_max=60.0)
        scopes = [word for scope in ("intake", "read") for word in ("--scope", scope)]
        self._key = run_command(["keys", "create", "demo", *scopes, "--days", "1"], environment=self._environment)[
            "key"
        ]
        self._inside = wiring.open_hub(self._settings, pool_size_max=2, schema=wiring.Schema.REQUIRE)

    def close(self) -> None:
        """Leave the database."""
        if self._inside is not None:
            self._inside.close()
            self._inside = None

    def apply_project(self) -> int:
        """Put the project in force as its author would: `comity apply --yes`; return the revision."""
        effects = run_command(["apply", "--yes", "--author", "demo"], environment=self._environment)
        return int(effects["result"]["revision"])

    def read_status(self) -> StatusView:
        """Return the numbers of the status page."""
        return msgspec.convert(self._get("/v1/status"), StatusView)

    def show_profile(self, key: str) -> ProfileView:
        """Return a person by any key."""
        return msgspec.convert(self._get("/v1/profiles", key=key), ProfileView)

    def lacks_name(self, global_id: UUID) -> bool:
        """Tell whether a person has no full name, and so cannot be created in every CRM."""
        golden = self.show_profile(str(global_id)).attributes
        return golden.get("given_name") is None or golden.get("family_name") is None

    def explain(self, global_id: UUID, attribute: str) -> Explanation:
        """Ask why a golden value is what it is."""
        return msgspec.convert(self._get(f"/v1/profiles/{global_id}/why/{attribute}"), Explanation)

    def show_member(self, global_id: UUID) -> Member:
        """Return points and tier."""
        return msgspec.convert(self._get(f"/v1/members/{global_id}/balance"), list[Member])[0]

    def send_one(self, event: Mapping[str, object]) -> str:
        """Send an event; return accepted or duplicate."""
        return str(self._post("/v1/events", msgspec.json.encode(event))["status"])

    def send(self, events: Sequence[Mapping[str, object]], *, advance: Advance | None = None) -> Sent:
        """Send events in bulk requests; lines for a stream the hub is only learning of are sent again."""
        sent = Sent()
        for start in range(0, len(events), BULK_LINES):
            batch = list(events[start : start + BULK_LINES])
            until = time.monotonic() + LEARN_SECONDS_MAX
            while batch:
                answer = self._post("/v1/events/bulk", to_lines(batch))
                sent.accepted += answer["accepted"]
                sent.duplicates += answer["duplicates"]
                rejected: list[dict[str, Any]] = answer["rejected"]
                unknown: list[Mapping[str, object]] = [
                    batch[line["line"] - 1] for line in rejected if line["code"] == "stream_unknown"
                ]
                if len(unknown) < len(rejected) or (unknown and time.monotonic() > until):
                    raise HubRefused("The hub rejected events.", details={"first": rejected[0]})
                batch = unknown
                time.sleep(0.2 if batch else 0.0)
            if advance:
                advance(min(start + BULK_LINES, len(events)), len(events), "sent")
        return sent

    def settle(self, *, still_seconds_max: float, seconds_max: float, advance: Advance | None = None) -> StatusView:
        """Wait until nothing is waiting and nothing has moved for a while. Raises TookTooLong."""
        quiet_since = time.monotonic()
        patience = Patience(still_seconds_max=still_seconds_max, seconds_max=seconds_max, began=quiet_since)
        before: tuple[object, ...] = ()
        backlog_max = 1
        while True:
            self.child.check()
            status = self.read_status()
            backlog = status.waiting_count + sum(each.stale_count for each in status.systems)
            now = (backlog, status.profile_count, status.member_count, status.points_outstanding)
            if backlog or now != before or status.member_count != status.profile_count:
                before, quiet_since = now, time.monotonic()
            elif time.monotonic() - quiet_since >= QUIET_SECONDS:
                return status
            if end := patience.find_end(now, at=time.monotonic()):
                raise TookTooLong(
                    f"The hub did not come to rest: {end}. {_tell_waiting(status)} "
                    f"Try again on a quieter machine, or with --quick; the log of the hub is {self._log}."
                )
            backlog_max = max(backlog_max, backlog)
            if advance:
                advance(backlog_max - backlog, backlog_max, f"{backlog:,} waiting")
            time.sleep(STATUS_SECONDS)

    def find_global_ids(self, keys: Sequence[RecordKey]) -> dict[RecordKey, UUID]:
        """Return whose record each is."""
        found: dict[RecordKey, UUID] = {}
        with self._require_inside().database.transaction() as tx:
            for start in range(0, len(keys), KEYS_MAX):
                found.update(identity.find_profiles_by_records(tx, keys=keys[start : start + KEYS_MAX]))
        return found

    def find_people(self, attribute: str, value: str) -> dict[UUID, dict[str, list[str]]]:
        """Return up to 100 people with a golden value, and their records: system -> external ids."""
        inside = self._require_inside()
        with inside.database.transaction() as tx:
            model = inside.runtimes.get(tx).model
            global_ids = profile.find_profiles(tx, attribute=attribute, value=value, model=model)
            people: dict[UUID, dict[str, list[str]]] = {global_id: {} for global_id in global_ids}
            for record in identity.list_records(tx, profile_ids=global_ids):
                if not record.is_deleted:
                    people[record.profile_id].setdefault(record.system, []).append(record.external_id)
        return people

    def _require_inside(self) -> wiring.Hub:
        if self._inside is None:
            raise HubRefused("The hub has not been started.")
        return self._inside

    def _answers(self) -> bool:
        self.child.check()
        try:
            return self._egress.request("GET", f"{self.url}/health", timeout_seconds=2.0).status == 200
        except EgressFailed:
            return False

    def _get(self, path: str, **params: str) -> Any:
        headers = {"authorization": f"Bearer {self._key}"}
        answer = self._egress.request("GET", self.url + path, params=params, headers=headers)
        if answer.status != 200:
            raise HubRefused(f"The hub answered {answer.status} to {path}: {answer.excerpt()}")
        return answer.json()

    def _post(self, path: str, body: bytes) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {self._key}", "content-type": "application/json"}
        answer = self._egress.request("POST", self.url + path, content=body, headers=headers)
        if not 200 <= answer.status < 300 and answer.status != 422:
            raise HubRefused(f"The hub answered {answer.status} to {path}: {answer.excerpt()}")
        return answer.json()


def _tell_waiting(status: StatusView) -> str:
    """Say what waits where."""
    waiting = [f"{each.stale_count:,} to be written to {each.system}" for each in status.systems if each.stale_count]
    if status.waiting_count:
        waiting.insert(0, f"{status.waiting_count:,} to be taken in by the hub")
    if waiting:
        return f"Still waiting: {', '.join(waiting)}."
    return f"Nothing waits, but of {status.profile_count:,} people {status.member_count:,} are members."
