"""Whatever is killed, whenever: nothing acknowledged is lost, nothing counts twice, all systems agree in the end."""

import os
import random
import signal
import time

import pytest

from comity import wiring
from comity.kernel.database import Database
from comity.kernel.embedded import ensure
from comity.kernel.embedded.postmaster import find_running
from comity.kernel.errors import Unavailable
from tests.chance import seeds
from tests.scenario.books import find_faults, read_books
from tests.scenario.conftest import connect_three
from tests.scenario.convergence import assert_converged
from tests.scenario.loader import Editor, Loader
from tests.scenario.project import SHOP, starter
from tests.scenario.rehearsal import Rehearsal, eventually

PEOPLE = 8
VICTIMS = ("rest", "worker", "worker", "database", "everything")
"""Each has its turn before any comes again."""


@pytest.fixture
def server(tmp_path):
    """A server of the test's own: it is killed, too."""
    with ensure(data_dir=tmp_path / "data", linger_seconds=0.0) as server:
        yield server
    # Nobody is left: the guard stops the server.


@pytest.fixture
def killed_hub(server, tmp_path):
    database = Database(dsn=server.dsn)
    wiring.migrate(database)
    folder = tmp_path / "project"
    folder.mkdir()
    hub = Rehearsal(database=database, folder=folder)
    hub.write(**starter())
    yield hub
    hub.stop()


def _people(systems):
    places, customers = [], []
    a, b, c = systems
    for number in range(PEOPLE):
        given, family, mail = f"Vorname{number}", f"Name{number}", f"person{number}@kill.example"
        person = {"FirstName": given, "LastName": family, "Email": mail, "MailingCity": "Ulm"}
        for system in (a, b):
            record_id = system.edit("Contact", None, **person)["id"]
            places.append((system, "Contact", record_id, "MailingCity"))
            if system is a:
                customers.append(record_id)
        record_id = c.edit("contacts", None, firstname=given, lastname=family, email=mail, city="Ulm")["id"]
        places.append((c, "contacts", record_id, "city"))
    return places, customers


def _kill(hub: Rehearsal, server, victim: str) -> None:
    if victim in {"rest", "worker", "everything"}:
        names = ("rest", "worker") if victim == "everything" else (victim,)
        hub.kill(*names)
    if victim in {"database", "everything"}:
        running = find_running(server.home)
        if running is not None:  # It may just be coming back from the last time.
            os.kill(running.process_id, signal.SIGKILL)


def _storm(hub: Rehearsal, server, *, kills: int, chance: random.Random) -> list[str]:
    killed, victims = [], []
    for _ in range(kills):
        time.sleep(chance.uniform(0.1, 4.0))
        victims = victims or chance.sample(VICTIMS, len(VICTIMS))
        victim = victims.pop()
        _kill(hub, server, victim)
        killed.append(victim)
        time.sleep(chance.uniform(0.0, 0.3))
        missing = [name for name in ("rest", "worker") if not hub.is_running(name)]
        if missing:
            hub.start(*missing, waits=False)
    return killed


def _owners(hub: Rehearsal, customers: list[str]) -> dict[str, str]:
    with hub.database.transaction() as tx:
        rows = tx.execute(
            "select external_id, profile_id::text from identity.record where system = 'crm-a' and stream = 'Contact'"
        ).fetchall()
    found = dict(rows)
    return {customer: found[customer] for customer in customers}


def _answers(hub: Rehearsal) -> bool:
    try:
        hub.database.ping()
    except Unavailable:
        return False
    return True


def _run(hub: Rehearsal, server, systems, *, kills: int, seed: int) -> None:
    print(f"replay: COMITY_TEST_SEED={seed} .venv/bin/pytest tests/scenario/test_kill.py -s")
    chance = random.Random(seed)
    places, customers = _people(systems)
    hub.write(shop=SHOP.format(name="shop", person_system="crm-a", person_stream="Contact"))
    connect_three(hub, *systems)
    hub.start()
    loader = Loader(url=hub.url, key=hub.key, customers=customers, seed=seed)
    editor = Editor(places=places, seed=seed)
    loader.start()
    editor.start()
    began = time.monotonic()
    killed = _storm(hub, server, kills=kills, chance=chance)
    stormed = time.monotonic()
    editor.finish()
    hub.wait_for_answers()
    eventually(lambda: _answers(hub), what="the database is back")
    loader.finish()
    accepted = time.monotonic()
    hub.settle()
    settled = time.monotonic()
    faults = find_faults(
        loader.acknowledged, read_books(hub.database), points_of=lambda minor: minor // 100,
        owners=_owners(hub, customers),
    )  # fmt: skip
    assert faults == [], f"seed {seed}, killed {killed}: {faults[:20]}"
    assert_converged(hub)
    print(
        f"{len(killed)} kills in {stormed - began:.0f} s, all accepted {accepted - stormed:.0f} s later, "
        f"settled {settled - accepted:.0f} s after that; "
        f"{len(loader.acknowledged.events)} events of {len(loader.acknowledged.sales)} sales acknowledged, "
        f"{editor.edit_count} edits; answers {loader.answers}"
    )


@pytest.mark.parametrize("seed", seeds(1, soak=1))
@pytest.mark.parametrize("kills", [6, *(pytest.param(many, marks=pytest.mark.soak) for many in (20, 300))])
def test_kills_under_load(killed_hub, server, salesforce, salesforce_b, hubspot, kills, seed):
    _run(killed_hub, server, (salesforce, salesforce_b, hubspot), kills=kills, seed=seed)
