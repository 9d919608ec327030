"""A small world out of a seed: people edited, made, deleted and merged in three systems that fail; and a hub."""

import random
from collections.abc import Callable
from typing import Any

from comity.inbox import api as inbox
from comity.kernel.database import Database
from comity.outbox import api as outbox
from tests.scenario.convergence import find_differences, find_undecided
from tests.scenario.rehearsal import Simulated
from tests.scenario.stage import Stage

FIELDS = {
    "Contact": {"given_name": "FirstName", "family_name": "LastName", "email": "Email", "city": "MailingCity",
                "street": "MailingStreet", "phone": "Phone", "birth_date": "Birthdate",
                "points": "Points_Balance__c"},
    "contacts": {"given_name": "firstname", "family_name": "lastname", "email": "email", "city": "city",
                 "street": "address", "phone": "phone", "birth_date": "birth_date",
                 "points": "points_balance"},
}  # fmt: skip
NAMES = [("Ada", "Byron"), ("Max", "Planck"), ("Emmy", "Noether"), ("Lise", "Meitner"), ("Carl", "Gauss")]
POOLS: dict[str, list[Any]] = {
    "city": ["Ulm", "Wien", "Graz", "Bonn", "A town with a name of some length", None],
    "street": ["Markt 7", "Am  Ring 1", "Hauptstr. 5", None],
    "phone": ["+49301234567", "+43 1 5330", "0301234568", None],
    "birth_date": ["1815-12-10", "1858-04-23", None],
}
MATCHED = {"phone", "birth_date"}
SIBLINGS_SHARE = {"global_id", "email"}
"""What has to be unique in a system, so that only one of a person's records there can hold it."""


class Killed(BaseException):
    """The process ends here."""


class World:
    """Draws what happens next; the same seed draws the same."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.stage = stage
        self.random = random.Random(seed)
        self.records: dict[str, list[str]] = {name: [] for name in stage.systems}
        self.deleted: dict[str, list[str]] = {name: [] for name in stage.systems}
        self.trace: list[str] = []
        self.pools = POOLS
        """What people edit."""

    def kind(self, name: str) -> str:
        return "contacts" if name == "crm-c" else "Contact"

    def run(self, steps: int) -> None:
        """Let that many things happen."""
        self._run(
            steps,
            [
                (10, self._edit), (2, self._rename), (3, self._create), (1, self._delete), (1, self._undelete),
                (1, self._merge), (2, self._fail), (1, self._kill), (8, self._read), (8, self._unify), (5, self._react),
                (8, self._deliver), (3, self._wait), (1, self._meddle), (1, self._readdress),
            ],
        )  # fmt: skip

    def run_in_silence(self, steps: int) -> None:
        """Let that many things happen: Comity writes nothing, and nobody's matching values change or leave."""
        self.pools = {name: values for name, values in POOLS.items() if name not in MATCHED}
        self._run(
            steps,
            [
                (10, self._edit), (3, self._create), (2, self._fail), (8, self._read), (8, self._unify),
                (5, self._react), (3, self._wait),
            ],
        )  # fmt: skip

    def _run(self, steps: int, actions: list[tuple[int, Callable[[], None]]]) -> None:
        for _ in range(6):
            self._create()
        weights = [weight for weight, _ in actions]
        for _ in range(steps):
            [(_, action)] = self.random.choices(actions, weights)
            action()

    def heal(self) -> None:
        """Faults end; the systems may have been left alone for a while."""
        for system in self.stage.systems.values():
            system.heal()
        self.stage.clock.advance(seconds=3700)
        for name in self.stage.systems:
            connector = self.stage.interrupt(name)
            connector.before_write = connector.after_write = None

    def listen(self) -> None:
        """Take in all that there is to hear, and write nothing."""
        for _ in range(2):
            for name in self.stage.systems:
                self.stage.read(name)
            self.stage.unify()

    def _note(self, *words: object) -> None:
        self.trace.append(" ".join(map(str, words)))

    def _name(self) -> str:
        return self.random.choice(list(self.stage.systems))

    def _act(self, name: str, what: Callable[[Simulated], Any]) -> Any:
        """What a user does; a system may refuse it (an e-mail address that is taken)."""
        try:
            return what(self.stage.systems[name])
        except AssertionError:
            self._note("  refused")
            return None

    def _draw(self, name: str, attribute: str) -> tuple[str, Any]:
        value = self.random.choice(POOLS[attribute])
        return FIELDS[self.kind(name)][attribute], "" if value is None and name == "crm-c" else value

    def _create(self) -> None:
        name, (given, family) = self._name(), self.random.choice(NAMES)
        fields = FIELDS[self.kind(name)]
        values = {fields["given_name"]: given, fields["family_name"]: family}
        if self.random.random() < 0.7:
            values[fields["email"]] = f"{given}.{family}@x.example".lower()
        values.update(self._draw(name, attribute) for attribute in self.random.sample(list(POOLS), 2))
        values = {field: value for field, value in values.items() if value not in (None, "")}
        self._note("create", name, values)
        made = self._act(name, lambda system: system.edit(self.kind(name), None, **values))
        if made:
            self.records[name].append(made["id"])

    def _edit(self) -> None:
        name = self._name()
        if not self.records[name]:
            return
        record_id = self.random.choice(self.records[name])
        field, value = self._draw(name, self.random.choice(list(self.pools)))
        self._note("edit", name, record_id, field, value)
        self._act(name, lambda system: system.edit(self.kind(name), record_id, **{field: value}))

    def _rename(self) -> None:
        name = self._name()
        if not self.records[name]:
            return
        record_id, (given, family) = self.random.choice(self.records[name]), self.random.choice(NAMES)
        fields = FIELDS[self.kind(name)]
        values = {fields["given_name"]: given, fields["family_name"]: family}
        self._note("rename", name, record_id, values)
        self._act(name, lambda system: system.edit(self.kind(name), record_id, **values))

    def _meddle(self) -> None:
        """Somebody changes a number that is Comity's."""
        name = self._name()
        if not self.records[name]:
            return
        record_id, field = self.random.choice(self.records[name]), FIELDS[self.kind(name)]["points"]
        self._note("meddle", name, record_id)
        self._act(name, lambda system: system.edit(self.kind(name), record_id, **{field: 77}))

    def _readdress(self) -> None:
        """Somebody gets another e-mail address, or none."""
        name = self._name()
        if not self.records[name]:
            return
        record_id, field = self.random.choice(self.records[name]), FIELDS[self.kind(name)]["email"]
        value = self.random.choice(["ada.byron@x.example", "other@x.example", "" if name == "crm-c" else None])
        self._note("readdress", name, record_id, value)
        self._act(name, lambda system: system.edit(self.kind(name), record_id, **{field: value}))

    def _delete(self) -> None:
        name = self._name()
        if len(self.records[name]) < 2:
            return
        record_id = self.records[name].pop(self.random.randrange(len(self.records[name])))
        self._note("delete", name, record_id)
        self._act(name, lambda system: system.delete(self.kind(name), record_id))
        self.deleted[name].append(record_id)

    def _undelete(self) -> None:
        name = self._name()
        if not self.deleted[name]:
            return
        record_id = self.deleted[name].pop()
        self._note("undelete", name, record_id)
        before = len(self.trace)
        self._act(name, lambda system: system.undelete(self.kind(name), record_id))
        if len(self.trace) == before:
            self.records[name].append(record_id)

    def _merge(self) -> None:
        name = self._name()
        if len(self.records[name]) < 3:
            return
        survivor, loser = self.random.sample(self.records[name], 2)
        self._note("merge", name, survivor, loser)
        left = self._act(name, lambda system: system.merge(self.kind(name), survivor, loser))
        if left:
            self.records[name] = [each for each in self.records[name] if each not in {survivor, loser}] + [left]

    def _fail(self) -> None:
        name = self._name()
        rule = self.random.choice(
            [
                {"kind": "drop", "is_applied": True},
                {"kind": "drop", "is_applied": False},
                {"kind": "drop", "is_applied": True, "method": "PATCH"},
                {"kind": "status", "status": 503},
                {"kind": "status", "status": 429},
                {"kind": "status", "status": 500, "body": "<html></html>", "skip": 1},
            ]
        )
        self._note("fail", name, rule)
        self.stage.systems[name].fail(count=self.random.randint(1, 2), **rule)

    def _kill(self) -> None:
        """The process ends before or after its next write to a system."""
        name, place = self._name(), self.random.choice(["before_write", "after_write"])

        def end() -> None:
            raise Killed

        self._note("kill", place, name)
        setattr(self.stage.interrupt(name), place, end)

    def _read(self) -> None:
        name = self._name()
        self._note("read", name)
        self.stage.read(name)

    def _unify(self) -> None:
        self._note("unify")
        self.stage.unify()

    def _react(self) -> None:
        self._note("react")
        self.stage.react()

    def _deliver(self) -> None:
        name = self._name()
        self._note("deliver", name)
        try:
            self.stage.deliver(name)
        except Killed:
            self._note("  killed")
            self.stage.restart()

    def _wait(self) -> None:
        seconds = self.random.choice([1, 5, 30])
        self._note("wait", seconds)
        self.stage.clock.advance(seconds=seconds)


def find_unexplained(stage: Stage) -> list[str]:
    """List differences that nobody is told of: not parked with a reason, not a value that a sibling record holds."""
    with stage.database.transaction() as tx:
        parked = {(item.system, item.profile_id) for item in outbox.list_parked(tx, system=None, count_max=1000)}
    return [
        str(each)
        for each in find_differences(stage.hub)
        if (each.system, each.profile_id) not in parked
        and (each.is_only or each.attribute not in SIBLINGS_SHARE)
    ]  # fmt: skip


def check_quiet(stage: Stage) -> None:
    """Nothing is written any more, whatever goes round; everything is decided as the observations say."""
    before = stage.writes()
    for _ in range(3):
        stage.cycle()
    assert stage.writes() == before, "writes without an edit"
    assert find_undecided(stage.hub) == 0, "golden values that the observations do not bear out"


def read_truth(database: Database) -> dict[frozenset[tuple[str, ...]], tuple[Any, ...]]:
    """The golden values of each person, by the records they are."""
    with database.transaction() as tx:
        rows = tx.execute(
            "select r.profile_id, array_agg(array[r.system, r.stream, r.external_id]), "
            "g.given_name, g.family_name, g.email, g.phone, g.birth_date, g.street, g.postcode, g.city "
            "from identity.record r join profile.golden g using (profile_id) where not r.is_deleted group by 1, "
            "g.given_name, g.family_name, g.email, g.phone, g.birth_date, g.street, g.postcode, g.city"
        ).fetchall()
    return {frozenset(tuple(each) for each in row[1]): row[2:] for row in rows}


def requeue_all(stage: Stage) -> None:
    """Have the latest of every record read again, as after a change of the mappings."""
    with stage.database.transaction() as tx:
        streams = list(stage.hub.runtimes.get(tx).streams)
        assert inbox.requeue_latest(tx, streams=streams, mark="again", now=stage.clock.now())


def copy_inbox(source: Database, target: Database) -> None:
    """Give another hub everything that ever came in, in the order it came."""
    with source.transaction() as tx:
        rows = tx.execute(
            "select system, stream, external_id, version, kind, source_at, received_at, survivor_id, payload "
            "from inbox.change order by xid, change_id"
        ).fetchall()
    with target.transaction() as tx, tx.cursor() as cursor:
        cursor.executemany(
            "insert into inbox.change "
            "(system, stream, external_id, version, kind, source_at, received_at, survivor_id, payload) "
            "values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            rows,
        )
