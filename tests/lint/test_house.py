from pathlib import Path

import pytest

from tools.lint import house

ROOM = "src/comity/ledger/store.py"


def check(tmp_path, name, text):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return house.check(tmp_path, [Path(name)])


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        (ROOM, "x = 1\n" * 401, "401 lines"),
        ("src/comity/ledger/sql/a.sql", "-- a\n" * 401, "401 lines"),
        (ROOM, "def long():\n" + "    x = 1\n" * 70, "long has 71 lines"),
        ("src/comity/ledger/__init__.py", '"""Books.\n\nOwns: accounts.\n"""', "Invariants:"),
        (ROOM, "now = datetime.now(UTC)", "datetime.now"),
        (ROOM, "now = time.time()", "time.time"),
        (ROOM, "from time import time", "chance or the clock"),
        (ROOM, "import uuid\nx = uuid.uuid4()", "uuid.uuid4"),
        (ROOM, "from uuid import uuid4", "chance or the clock"),
        (ROOM, "import random", "imports random"),
        (ROOM, "from secrets import token_hex", "chance or the clock"),
        (ROOM, "x = os.urandom(8)", "os.urandom"),
        (ROOM, "import urllib.request", "kernel.egress"),
        (ROOM, "from urllib import request", "kernel.egress"),
        (ROOM, "from http.client import HTTPConnection", "kernel.egress"),
        (ROOM, "tx.execute(f'select {x}')", "put together"),
        (ROOM, "tx.execute('select ' + x)", "put together"),
        (ROOM, "tx.execute('select %s' % x)", "put together"),
        (ROOM, "tx.execute('select {}'.format(x))", "put together"),
        ("src/comity/kernel/a.py", "tx.execute(f'select {x}')", "put together"),
        (ROOM, "tx.execute('select 1')", "stands in files"),
        ("src/comity/ledger/api.py", "from comity.kernel.sql import execute_text", "only a store"),
        (ROOM, "try:\n    x()\nexcept:\n    raise", "bare except"),
        (ROOM, "try:\n    x()\nexcept Exception:\n    pass", "vanishes"),
        (ROOM, "for x in y:\n    try:\n        x()\n    except Exception:\n        continue", "vanishes"),
        (ROOM, "x = 1  # TO" + "DO: later", "issue number"),
        ("src/comity/ledger/sql/a.sql", "select 1 -- FIX" + "ME soon", "issue number"),
        ("requirements.lock", "--extra-index" + "-url https://packages.example/simple", "one machine"),
        ("docs/a.md", "see https://py" + "pi.org/simple", "one machine"),
        ("docs/a.md", "it lies in `/ro" + "ot/.cache`", "one machine"),
        ("tools/a.sh", "cd /ho" + "me/ada/comity", "one machine"),
    ],
)
def test_a_broken_rule_is_named_with_its_line(tmp_path, name, text, word):
    found = check(tmp_path, name, text)
    assert len(found) == 1
    assert word in found[0]
    assert found[0].startswith(f"{name}:")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (ROOM, "x = 1\n" * 400),
        (ROOM, "def long():\n" + "    x = 1\n" * 69),
        ("src/comity/kernel/clock.py", "now = datetime.now(UTC)"),
        ("tests/unit/a.py", "import random\nx = uuid4()"),
        (ROOM, "import time\nbegan = time.monotonic()"),
        (ROOM, "from random import Random"),
        (ROOM, "statements.post.execute(tx, keys=keys)"),
        (ROOM, "tx.execute(text, params)"),
        ("src/comity/kernel/a.py", "tx.execute('select 1')"),
        (ROOM, "from comity.kernel.sql import execute_text"),
        (ROOM, "try:\n    x()\nexcept Exception:\n    log.exception('x')\n    raise"),
        (ROOM, "try:\n    x()\nexcept KeyError:\n    pass"),
        (ROOM, "x = 1  # TO" + "DO(#12): later"),
        ("docs/a.md", "The file lies in /etc/comity or ~/.cache; pip install comity."),
    ],
)
def test_what_is_allowed_passes(tmp_path, name, text):
    assert check(tmp_path, name, text) == []


def test_every_rule_tells_its_reason():
    for rule in [*house.TEXT_RULES, *house.TREE_RULES]:
        assert len(rule.__doc__ or "") > 60


def test_the_repository_keeps_the_rules():
    assert house.check(house.ROOT, house.known_files(house.ROOT)) == []
