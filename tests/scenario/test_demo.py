"""The demo itself: its whole story on a fifth of the data, and its end in the middle."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

pytestmark = pytest.mark.soak

DEMO = [sys.executable, "-m", "comity.interfaces.cli", "demo", "--check", "--quick"]


@pytest.fixture
def environment():
    return {name: value for name, value in os.environ.items() if not name.startswith("COMITY_")}


def find_processes(word):
    """Return the ids of processes that name a word in their command or environment."""
    found = set()
    for process in Path("/proc").glob("[1-9]*"):
        with contextlib.suppress(OSError):
            if word.encode() in (process / "cmdline").read_bytes() + (process / "environ").read_bytes():
                found.add(int(process.name))
    return found - {os.getpid()}


def wait_until(check, seconds):
    until = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < until, f"not within {seconds} s"
        time.sleep(0.1)


def test_every_claim_of_the_story_holds(tmp_path, environment):
    folder = tmp_path / "demo"
    done = subprocess.run(
        [*DEMO, "--json", "--data-dir", str(folder)], env=environment, capture_output=True, timeout=240, check=False
    )
    result = msgspec.json.decode(done.stdout)
    said = done.stderr.decode()
    assert result["failure"] is None, said
    assert [claim for claim in result["claims"] if not claim["is_ok"]] == [], said
    assert (done.returncode, result["is_ok"]) == (0, True)
    assert len(result["claims"]) >= 15
    assert result["figures"]["precision"] >= 0.99
    assert find_processes(str(folder)) == set()


def test_what_it_started_ends_with_it(tmp_path, environment):
    folder, log = tmp_path / "demo", tmp_path / "log"
    with log.open("wb") as output:
        demo = subprocess.Popen([*DEMO, "--data-dir", str(folder)], env=environment, stdout=output, stderr=output)
    wait_until(lambda: demo.poll() is not None or b"Two CRMs come together" in log.read_bytes(), 90)
    assert len(find_processes(str(folder))) > 4, log.read_text()
    demo.send_signal(signal.SIGTERM)
    assert demo.wait(timeout=60) == 1
    wait_until(lambda: not find_processes(str(folder)), 10)
    assert re.search("interrupted", log.read_text())
