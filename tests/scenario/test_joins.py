"""A third system joins and leaves while two others are in full swing: nothing lost, doubled or held up."""

import threading
import time

from tests.scenario.books import find_faults, read_books
from tests.scenario.conftest import connect
from tests.scenario.convergence import assert_converged
from tests.scenario.loader import Editor, Loader
from tests.scenario.project import SHOP
from tests.scenario.rehearsal import PATIENCE_SECONDS, eventually

PEOPLE = 20
NEWCOMERS = 150  # More than one page and one batch.
SEED = 7


def _people(a, b):
    places, customers = [], []
    for number in range(PEOPLE):
        person = {
            "FirstName": f"Vorname{number}", "LastName": f"Name{number}", "Email": f"person{number}@join.example",
        }  # fmt: skip
        first, second = a.edit("Contact", None, **person)["id"], b.edit("Contact", None, **person)["id"]
        customers.append(first)
        if number:  # The first one is watched.
            places += [(a, "Contact", first, "MailingCity"), (b, "Contact", second, "MailingCity")]
        else:
            watched = (first, second)
    return places, customers, watched


class _Watch:
    """Edits one person in the first system again and again, and notes how long it takes to show in the second."""

    def __init__(self, a, b, watched):
        self._a, self._b, self._watched = a, b, watched
        self.seconds: list[tuple[float, float]] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        number = 0
        while not self._stopping.wait(0.2):
            number += 1
            began = time.monotonic()
            self._a.edit("Contact", self._watched[0], MailingStreet=f"Street {number}")
            while self._b.find("Contact", "Id", self._watched[1])[0].get("MailingStreet") != f"Street {number}":
                if self._stopping.is_set() and time.monotonic() - began > PATIENCE_SECONDS:
                    return
                time.sleep(0.01)
            self.seconds.append((began, time.monotonic() - began))

    def stop(self):
        self._stopping.set()
        self._thread.join(PATIENCE_SECONDS)

    def most(self, begin, end):
        return max((seconds for began, seconds in self.seconds if begin <= began < end), default=0.0)


def test_a_third_system_joins_and_leaves_under_load(rehearsal, salesforce, salesforce_b, hubspot):
    places, customers, watched = _people(salesforce, salesforce_b)
    for number in range(NEWCOMERS):  # Some are known, most are not.
        hubspot.edit(
            "contacts", None, firstname=f"Vorname{number}", lastname=f"Name{number}",
            email=f"person{number}@join.example",
        )  # fmt: skip
    rules = (rehearsal.folder / "rules.yaml").read_text()
    rehearsal.write(rules=rules.replace("salesforce-emea, hubspot-us", "crm-a"))
    rehearsal.write(shop=SHOP.format(name="shop", person_system="crm-a", person_stream="Contact"))
    connect(rehearsal, "salesforce", "crm-a", salesforce.sandbox)
    connect(rehearsal, "salesforce", "crm-b", salesforce_b.sandbox)
    rehearsal.apply()
    rehearsal.start()
    rehearsal.settle()
    loader = Loader(url=rehearsal.url, key=rehearsal.key, customers=customers, seed=SEED)
    editor = Editor(places=places, seed=SEED, pause_seconds=0.3)
    watch = _Watch(salesforce, salesforce_b, watched)
    loader.start()
    editor.start()
    began = time.monotonic()
    time.sleep(2)
    joined = time.monotonic()
    connect(rehearsal, "hubspot", "crm-c", hubspot.sandbox)
    rehearsal.apply()
    eventually(
        lambda: _linked(hubspot) == NEWCOMERS,
        what="everybody in the third system has a Global ID",
        pause_seconds=0.5,
    )
    known = time.monotonic()
    for file in ("system-crm-c", "mapping-crm-c"):
        (rehearsal.folder / f"{file}.yaml").unlink()
    rehearsal.apply(removes=True)
    eventually(lambda: _is_left_alone(hubspot), what="nobody calls the third system any more")
    watch.stop()
    editor.finish()
    loader.finish()
    rehearsal.settle()
    with rehearsal.database.transaction() as tx:
        rows = tx.execute("select external_id, profile_id::text from identity.record where system = 'crm-a'").fetchall()
    owners = dict(rows)
    faults = find_faults(
        loader.acknowledged, read_books(rehearsal.database), points_of=lambda minor: minor // 100, owners=owners
    )
    assert faults == []
    assert_converged(rehearsal)
    with rehearsal.database.transaction() as tx:
        # Whoever was known in the first two is the same person in the third: nobody twice.
        assert tx.execute("select count(*) from profile.golden").fetchone() == (NEWCOMERS,)
    print(
        f"third system with {NEWCOMERS} people known after {known - joined:.1f} s; an edit between the others took at "
        f"most {watch.most(began, joined):.2f} s before, {watch.most(joined, known):.2f} s during, "
        f"{watch.most(known, time.monotonic()):.2f} s after; {len(loader.acknowledged.sales)} sales"
    )


def _is_left_alone(hubspot):
    calls = hubspot.state()["calls"]["total"]
    time.sleep(1.5)  # It is polled each second.
    return hubspot.state()["calls"]["total"] == calls


def _linked(hubspot):
    return sum(bool(record.get("global_id")) for record in _contacts(hubspot))


def _contacts(hubspot):
    return [
        record for number in range(NEWCOMERS)
        for record in hubspot.find("contacts", "email", f"person{number}@join.example")
    ]  # fmt: skip
