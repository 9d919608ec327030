"""Processes of the demo: each in a session of its own, each ended by whoever started it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec

from comity.interfaces.cli.demo.waiting import POLL_SECONDS
from comity.kernel.errors import Unavailable

READY_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 40.0
TAIL_LINES = 12


class ProcessFailed(Unavailable):
    """A process of the demo did not do what it was started for."""


class Child:
    """A child process that says in one line of JSON when it is ready. Its output goes to a file."""

    def __init__(self, arguments: Sequence[str], *, name: str, log: Path, environment: Mapping[str, str]) -> None:
        """Start `python -m ...`."""
        self.name = name
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own modules.
                [sys.executable, "-m", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                start_new_session=True,
            )

    def wait_ready(self) -> dict[str, Any]:
        """Return the line of JSON. Raises ProcessFailed with the end of the output."""
        until = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < until:
            for line in self._log.read_bytes().splitlines():
                if line.startswith(b'{"') and b'"url"' in line:
                    return cast("dict[str, Any]", msgspec.json.decode(line))
            self.check()
            time.sleep(POLL_SECONDS)
        raise ProcessFailed(f"{self.name} was not ready within {READY_SECONDS_MAX:g} s.", details=self.read_tail())

    def check(self) -> None:
        """Raise ProcessFailed when the process has ended."""
        code = self._process.poll()
        if code is not None:
            raise ProcessFailed(f"{self.name} ended by itself (exit code {code}).", details=self.read_tail())

    def ask_to_end(self) -> None:
        """Ask politely; `end` waits for it."""
        if self._process.poll() is None:
            self._process.terminate()

    def end(self) -> None:
        """Wait for the end; a process that does not come to it is killed with everything in its session."""
        self.ask_to_end()
        try:
            self._process.wait(timeout=STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def read_tail(self) -> dict[str, str]:
        """Return where its output is, and the end of it."""
        lines = self._log.read_text("utf-8", "replace").splitlines()[-TAIL_LINES:]
        return {"log": str(self._log), "last lines": "\n".join(lines)}


def run_command(arguments: Sequence[str], *, environment: Mapping[str, str]) -> Any:
    """Run a command of the command line with `--json` and return its answer. Raises ProcessFailed."""
    done = subprocess.run(  # noqa: S603 - our own command line.
        [sys.executable, "-m", "comity.interfaces.cli", *arguments, "--json"],
        capture_output=True,
        check=False,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        timeout=READY_SECONDS_MAX,
    )
    if done.returncode != 0:
        said = (done.stdout + done.stderr).decode("utf-8", "replace").strip()
        raise ProcessFailed(f"comity {' '.join(arguments)} failed.", details={"said": said[-2000:]})
    return msgspec.json.decode(done.stdout)


def clean_environment(**settings: str) -> dict[str, str]:
    """Return the environment without settings of another Comity, and with these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COMITY_")}
    return kept | settings
