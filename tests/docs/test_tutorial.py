"""The tutorial, typed in word for word: every command of it runs, and what it promises happens."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from comity.kernel.embedded import remove
from tests.scenario.rehearsal import eventually, free_port

pytestmark = pytest.mark.soak

TUTORIAL = Path(__file__).parents[2] / "docs/tutorial.md"
SKIPPED = ("make setup", ". .venv/bin/activate")
"""What is done already where a test runs."""

STAYING = ("comity sandbox serve", "comity up")
PATIENCE_SECONDS = 60
SHELL = shutil.which("bash") or "/bin/sh"


class Reader:
    """Somebody who types what stands there, in one directory, with several terminals."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {port: str(free_port()) for port in ("8101", "8102", "8080")}
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("COMITY_")}
        self.environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment["COMITY_PORT"] = self.ports["8080"]
        self.environment["COLUMNS"] = "160"
        self.tokens: list[str] = []
        self.global_id = ""
        self.said = ""
        self._staying: list[subprocess.Popen[str]] = []

    def adapt(self, text: str) -> str:
        """Put this machine's free ports, and what the reader was to note down, in their places."""
        for port, mine in self.ports.items():
            text = text.replace(f":{port}", f":{mine}").replace(f"--port {port}", f"--port {mine}")
        return text.replace("THE-GLOBAL-ID", self.global_id).replace("2026-11-20T", time.strftime("%Y-%m-%dT"))

    def type(self, command: str) -> str:
        """Run one command as it stands in the text; return what it said."""
        command = self.adapt(command)
        if command.startswith(SKIPPED):
            return ""
        if command.startswith(STAYING):
            return self._stay(command)
        if command.startswith("cd "):
            self.folder /= command.split()[1]
            return ""
        if command.startswith("export "):
            name = command.split()[1].split("=")[0]
            self.environment[name] = self.tokens["HUBSPOT" in name]
            return ""
        if command.startswith("KEY="):
            return ""
        command = re.sub(r"^comity apply\b", "comity apply --yes", command)
        done = subprocess.run(
            [SHELL, "-c", command],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        self.said = done.stdout
        if command.startswith("comity keys create"):
            self.environment["KEY"] = done.stdout.split()[0]
        return done.stdout

    def look(self, command: str, wanted: str) -> str:
        """Run a command until it says what is wanted; the text says `a little later`."""
        try:
            return eventually(
                lambda: (said := self.type(command)) and wanted in said and said, seconds=PATIENCE_SECONDS
            )
        except AssertionError as error:
            raise AssertionError(f"{command} does not say {wanted} but {self.said}") from error

    def leave(self) -> None:
        for process in reversed(self._staying):
            process.terminate()
        for process in self._staying:
            process.communicate(timeout=60)

    def _stay(self, command: str) -> str:
        with (self.folder / "terminal.log").open("a") as log:
            process = subprocess.Popen(
                [SHELL, "-c", f"exec {command}"],
                cwd=self.folder,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._staying.append(process)
        said = process.stdout.readline()
        assert said, (self.folder / "terminal.log").read_text()
        if "token" in json.loads(said):
            self.tokens.append(json.loads(said)["token"])
        return said


def commands_of(text: str) -> list[str]:
    """Return the commands of a section: lines of `sh` blocks, and what follows `$` in `console` blocks."""
    found: list[str] = []
    for language, block in re.findall(r"^ *```(sh|console)\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL):
        if language == "console":
            found += [line[2:] for line in block.splitlines() if line.startswith("$ ")]
            continue
        quote_open = False
        for line in block.splitlines():
            bare = line if quote_open else re.sub(r"\s+# .*$", "", line).strip()
            if quote_open:
                found[-1] += f"\n{bare}"
            elif bare:
                found.append(bare)
            quote_open = found[-1].count("'") % 2 == 1 if found else False
    return found


def sections() -> dict[str, str]:
    """Return the numbered sections: their number -> text."""
    parts = re.split(r"^## (\d+)\. .*$", TUTORIAL.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.fixture
def reader(tmp_path):
    somebody = Reader(tmp_path)
    yield somebody
    somebody.leave()
    remove(data_dir=tmp_path / "my-hub/var/postgres", wait_seconds=20)


def test_whole(reader, tmp_path):
    steps = sections()
    for number in ("1", "2", "3"):
        for command in commands_of(steps[number]):
            reader.type(command)
        if number == "3":
            _be_told_that_search_does_not_lag(tmp_path / "my-hub/systems/hubspot-us.yaml", reader)
            assert "16 documents, no problem" in reader.type("comity validate")
    for number in ("4", "5"):
        for command in commands_of(steps[number]):
            reader.type(command)

    *edits, show, find = commands_of(steps["6"])
    for command in edits:
        assert json.loads(reader.type(command))["id"]
    reader.look(f"{show} || true", "email_and_given_name")
    reader.global_id = json.loads(reader.type(f"{show} --json"))["global_id"]
    reader.look(find, reader.global_id)
    assert '"phone": "+4930901820"' in reader.said.replace('":"', '": "')

    edit, look, *explain = commands_of(steps["7"])
    reader.type(edit)
    reader.look(look, "901821")
    assert "most_recent" in reader.type(explain[-1])

    create, assignment, send = commands_of(steps["8"])
    reader.type(create)
    reader.type(assignment)
    assert [json.loads(reader.type(send))["status"] for _ in range(2)] == ["accepted", "duplicate"]
    reader.look(f"{show}", "649")
    assert "Silver" in reader.said
    reader.look(find, '"loyalty_tier":"Silver"')

    [redeem] = commands_of(steps["9"])
    [promised] = re.findall(r"`(\{.*?\})`", steps["9"])
    assert json.loads(reader.type(redeem)) == json.loads(promised)
    assert json.loads(reader.type(redeem))["status"] == "duplicate"
    too_much = redeem.replace("mug-1", "mug-2").replace('"points": 200', '"points": 20000')
    assert json.loads(reader.type(too_much))["code"] == "insufficient_points"

    send, parked = commands_of(steps["10"])
    reader.type(send)
    reader.look(parked, "total")
    mapping = tmp_path / "my-hub/mappings/hubspot-us.yaml"
    correction = re.search(r"`(lens: \{money: .*?\})`", steps["10"])[1]
    text = mapping.read_text()
    assert "lens: {money: {currency_field: currency}}" in text
    mapping.write_text(text.replace("lens: {money: {currency_field: currency}}", correction))
    reader.type("comity apply")
    reader.look(show, "1,699")
    assert "Gold" in reader.said


def _be_told_that_search_does_not_lag(path: Path, reader: Reader) -> None:
    text = reader.adapt(path.read_text()).replace("  settings:\n", "  settings:\n    index_lag_seconds: 0\n")
    path.write_text(text)
    other = path.with_name("salesforce-emea.yaml")
    other.write_text(reader.adapt(other.read_text()))
