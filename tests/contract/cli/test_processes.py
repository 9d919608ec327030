"""Commands that run something: what they say when they are ready, and that nothing is left of them."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from comity.kernel.embedded import remove
from tests.scenario.rehearsal import PATIENCE_SECONDS, eventually, free_port


@contextmanager
def started(*words, folder, **settings):
    """A command as a process, ended in any case; its first line is read when somebody wants it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("COMITY_")}
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "comity.interfaces.cli", *words],
            env=clean | settings,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            try:
                process.communicate(timeout=PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                raise


def descendants(pid: int) -> dict[int, str]:
    """Processes below one, with their command lines."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            rest = stat.read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if rest[0] != "Z":
            parents[int(stat.parent.name)] = int(rest[1])
    found: dict[int, str] = {}
    layer = {pid}
    while layer:
        layer = {child for child, parent in parents.items() if parent in layer}
        found |= {child: command_of(child) for child in layer}
    return found


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except FileNotFoundError:
        return ""


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def answers(url):
    try:
        return httpx2.get(f"{url}/health", trust_env=False).status_code == 200
    except httpx2.TransportError:
        return False


@pytest.fixture
def up(database, to_owner, tmp_path):
    """`comity up`, and the address it says."""
    port, owner = str(free_port()), to_owner(database)
    with started(
        "up", "--port", port, folder=tmp_path, COMITY_DATABASE_URL=database.dsn, COMITY_DATABASE_OWNER_URL=owner
    ) as process:
        said = json.loads(process.stdout.readline())
        assert said == {"url": f"http://127.0.0.1:{port}"}
        eventually(lambda: answers(said["url"]), what="the hub answers")
        yield process, said["url"]


def find(processes: dict[int, str], module: str) -> list[int]:
    return sorted(pid for pid, command in processes.items() if module in command)


class TestUp:
    def test_restarts_who_was_killed_and_ends_with_all_of_them(self, up, database, tmp_path):
        process, url = up
        for module in ("comity.interfaces.rest", "comity.interfaces.worker"):
            first = eventually(lambda: find(descendants(process.pid), module), what="it runs")[0]  # noqa: B023 - now.
            os.kill(first, signal.SIGKILL)
            eventually(
                lambda: [pid for pid in find(descendants(process.pid), module) if pid != first],  # noqa: B023 - now.
                what="another one runs",
            )
        eventually(lambda: answers(url), what="the hub answers")

        port = url.rsplit(":", 1)[1]
        with started("up", "--port", port, folder=tmp_path, COMITY_DATABASE_URL=database.dsn) as second:
            assert second.wait(PATIENCE_SECONDS) == 4
        assert "--port" in (tmp_path / "log").read_text()

        below = descendants(process.pid)
        process.terminate()
        assert process.wait(PATIENCE_SECONDS) == 0
        assert not [pid for pid in below if is_alive(pid)]

    def test_tells_machines_what_happens_line_by_line(self, database, tmp_path):
        port = str(free_port())
        with started("up", "--json", "--port", port, folder=tmp_path, COMITY_DATABASE_URL=database.dsn) as process:
            url = f"http://127.0.0.1:{port}"
            assert json.loads(process.stdout.readline()) == {"event": "ready", "url": url, "api": f"{url}/api"}
            module = "comity.interfaces.worker"
            os.kill(find(descendants(process.pid), module)[0], signal.SIGKILL)
            said = [json.loads(process.stdout.readline()) for _ in range(2)]
            assert said == [
                {"event": "process_died", "process": module, "exit_code": -signal.SIGKILL},
                {"event": "process_restarted", "process": module},
            ]
            with started("up", "--json", "--port", port, folder=tmp_path) as second:
                (line,) = second.stdout.read().splitlines()
                assert (second.wait(PATIENCE_SECONDS), json.loads(line)["code"]) == (4, "port_taken")
            process.terminate()
            rest, _ = process.communicate(timeout=PATIENCE_SECONDS)
            assert [json.loads(each)["event"] for each in rest.splitlines()] == ["stopping", "stopped"]
            assert process.returncode == 0

    @pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads /proc")
    def test_keeps_the_owner_from_those_it_starts(self, up):
        process, _ = up
        below = descendants(process.pid)
        assert len(below) >= 2
        for each in below:
            told = Path(f"/proc/{each}/environ").read_bytes().split(b"\0")
            assert [one for one in told if one.startswith(b"COMITY_DATABASE_OWNER_URL=")] in (
                [b"COMITY_DATABASE_OWNER_URL="],
                [],
            )

    def test_warns_where_the_hub_owns_the_ledger(self, empty_database, tmp_path):
        def says(what):
            return what in (tmp_path / "log").read_text()

        with started("up", "--port", str(free_port()), folder=tmp_path, COMITY_DATABASE_URL=empty_database.dsn):
            eventually(lambda: says("worker_started"), what="the worker says so")
        assert says("ledger_unguarded")

    def test_killed_leaves_no_orphan(self, up, tmp_path):
        assert "ledger_unguarded" not in (tmp_path / "log").read_text()
        process, _ = up
        below = descendants(process.pid)
        assert len(below) >= 2
        process.kill()
        process.wait(PATIENCE_SECONDS)
        eventually(lambda: not [pid for pid in below if is_alive(pid)], what="the children end by themselves")


class TestSandbox:
    @pytest.mark.parametrize("kind", ["salesforce", "hubspot"])
    def test_says_one_json_line_and_ends_when_asked(self, tmp_path, kind):
        with started("sandbox", "serve", kind, "--seed", "7", folder=tmp_path) as process:
            ready = json.loads(process.stdout.readline())
            assert ready["kind"] == kind and ready["token"] and ready["url"].startswith("http://127.0.0.1:")
            assert ready["ca_file"] is None
            assert httpx2.get(f"{ready['url']}/_sandbox/state", trust_env=False).status_code == 200
            process.terminate()
            rest, _ = process.communicate(timeout=PATIENCE_SECONDS)
            assert (process.returncode, rest) == (0, "")

    def test_speaks_tls(self, tmp_path):
        with started("sandbox", "serve", "hubspot", "--tls", folder=tmp_path) as process:
            ready = json.loads(process.stdout.readline())
            assert ready["url"].startswith("https://") and Path(ready["ca_file"]).is_file()

    def test_bare_has_none_of_our_fields(self, tmp_path):
        with started("sandbox", "serve", "hubspot", "--bare", folder=tmp_path) as process:
            ready = json.loads(process.stdout.readline())
            headers = {"authorization": f"Bearer {ready['token']}"}
            found = httpx2.get(f"{ready['url']}/crm/v3/properties/contacts", headers=headers, trust_env=False).json()
            names = {each["name"] for each in found["results"]}
            assert "email" in names and "global_id" not in names


class TestEmbedded:
    def test_project_from_nothing_in_a_directory_of_its_own(self, tmp_path):
        """No database configured, nothing installed: every command by itself, as a person would type it."""

        def comity(*words):
            with started(*words, folder=tmp_path, COMITY_DATA_DIR="data") as process:
                said, _ = process.communicate(timeout=120)
            assert process.returncode == 0, (said, (tmp_path / "log").read_text())
            return json.loads(said)

        try:
            comity("init", "--json")
            assert comity("apply", "--json")["result"]["revision"] == 1
            key = comity("keys", "create", "me", "--scope", "read", "--json")["key"]
            with started("up", "--port", str(free_port()), folder=tmp_path, COMITY_DATA_DIR="data") as process:
                url = json.loads(process.stdout.readline())["url"]
                eventually(lambda: answers(url), what="the hub answers")
                headers = {"authorization": f"Bearer {key}"}
                told = httpx2.get(f"{url}/v1/systems", headers=headers, trust_env=False).json()
                assert {each["system"] for each in told} == {"salesforce-emea", "hubspot-us"}
        finally:
            remove(data_dir=tmp_path / "data/postgres", wait_seconds=60)
