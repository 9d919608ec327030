"""Each contract of .importlinter catches the import it is there for."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = "Imports point upstream, and every room is listed"
INTERFACES = "Interfaces do not know each other"
DOOR = "A room is entered only by api or types"
BESIDE = "The sandbox stands beside the house"
RULES = "Rules are pure: no clock, database, network, randomness"
APART = "Connectors do not know each other"
CONNECTORS = "Only the wiring knows a connector by name"
HTTP = "The HTTP client lives in the kernel"
DRIVER = "The database driver lives in the kernel and in stores"
WEB = "The web framework lives in the interfaces"
SERVER = "The web server is started by the interfaces and the sandbox"
CYCLES = "No cycles, not even inside a room"

PLANTS = [
    (LAYERS, {"ledger/planted.py": "from comity.programme import api"}),
    (LAYERS, {"profile/planted.py": "from comity.ledger import api"}),
    (LAYERS, {"profile/planted.py": "from comity.outbox import types"}),
    (LAYERS, {"connectors/hubspot/planted.py": "from comity.inbox import api"}),
    (LAYERS, {"kernel/planted.py": "def late():\n    from comity.ledger import api"}),
    (LAYERS, {"unlisted/__init__.py": ""}),
    (INTERFACES, {"interfaces/rest/planted.py": "import comity.interfaces.admin", "interfaces/admin/__init__.py": ""}),
    (INTERFACES, {"interfaces/unlisted/__init__.py": ""}),
    (DOOR, {"programme/planted.py": "from comity.ledger import store"}),
    (DOOR, {"interfaces/rest/planted.py": "from comity.ledger.rules import anything"}),
    (DOOR, {"outbox/planted.py": "import comity.programme.readers", "programme/readers.py": ""}),
    (DOOR, {"wiring.py": "from comity.ledger import store"}),
    (BESIDE, {"sandbox/planted.py": "from comity.kernel import sql"}),
    (BESIDE, {"sandbox/planted.py": "from comity.systems import api"}),
    (BESIDE, {"interfaces/rest/planted.py": "import comity.sandbox"}),
    (RULES, {"ledger/rules.py": "from comity.kernel import clock"}),
    (RULES, {"ledger/rules.py": "import time"}),
    (RULES, {"ledger/rules.py": "import psycopg"}),
    (RULES, {"ledger/rules.py": "import http.client"}),
    (RULES, {"ledger/rules.py": "import asyncio"}),
    (RULES, {"ledger/rules.py": "from comity.ledger import planted", "ledger/planted.py": "import random"}),
    (APART, {"connectors/hubspot/planted.py": "import comity.connectors.salesforce"}),
    (CONNECTORS, {"sync/planted.py": "import comity.connectors.hubspot", "sync/__init__.py": ""}),
    (HTTP, {"outbox/planted.py": "import httpx2"}),
    (HTTP, {"outbox/planted.py": "import httpcore2"}),
    (DRIVER, {"programme/planted.py": "import psycopg.errors"}),
    (WEB, {"segments/planted.py": "from litestar import get", "segments/__init__.py": ""}),
    (SERVER, {"outbox/planted.py": "import granian"}),
    (CYCLES, {"ledger/one.py": "from comity.ledger import two", "ledger/two.py": "from comity.ledger import one"}),
]


@pytest.fixture
def package(tmp_path):
    shutil.copytree(ROOT / "src/comity", tmp_path / "comity", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "comity"


def plant(package, files):
    for name, text in files.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        former = path.read_text() if path.exists() else ""
        path.write_text(f"{former}\n{text}\n")


def broken(package):
    """Return the names of the contracts that do not hold for this copy of the package."""
    config = ROOT / ".importlinter"
    answer = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--config", config, "--no-cache"],
        env={**os.environ, "PYTHONPATH": f"{package.parent}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "Contracts: " in answer.stdout, answer.stdout + answer.stderr
    return set(re.findall(r"^(.+) BROKEN", answer.stdout, re.MULTILINE))


def test_the_house_keeps_its_contracts(package):
    assert broken(package) == set()


@pytest.mark.parametrize(("contract", "files"), PLANTS, ids=[f"{'+'.join(files)}" for _, files in PLANTS])
def test_a_planted_import_is_caught_by_its_contract(package, contract, files):
    plant(package, files)
    assert contract in broken(package)


def test_wiring_may_name_readers_and_jobs(package):
    plant(package, {"wiring.py": "import comity.programme.readers\nimport comity.ledger.jobs"})
    plant(package, {"programme/readers.py": "", "ledger/jobs.py": ""})
    assert broken(package) == set()
