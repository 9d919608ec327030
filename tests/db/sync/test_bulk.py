"""Files loaded at once end as the same records end one by one, and changes go on from there."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bench.hub import COMMON, PROJECT
from bench.payloads import payload_of
from bench.people import STREAMS, SYSTEMS, Population, Record
from comity.definitions import api as definitions
from comity.inbox import api as inbox
from comity.inbox.types import NewChange
from comity.kernel import leases, readers
from comity.kernel.database import Database
from comity.kernel.ids import SeededIds
from comity.outbox import api as outbox
from comity.sync import api as sync
from comity.sync.types import FileUnreadable, LoadReport, RecordFile, StreamUnmapped
from comity.wiring import CHECKERS

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
STATED_AT = datetime(2026, 3, 1, tzinfo=UTC)
RECORDS = 2_000


class Loading:
    """A hub's middle: files in, changes in, unify, and what came of it."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.folder = folder
        self.ids = SeededIds(7)
        folder.mkdir()
        for name in (*COMMON, "match-guarded"):
            (folder / f"{name}.yaml").write_bytes((PROJECT / f"{name}.yaml").read_bytes())
        documents = definitions.read_project(folder).documents
        with database.transaction() as tx:
            plan = sync.plan_documents(tx, documents=documents)
            sync.apply_documents(tx, plan=plan, author="test", now=NOW, checkers=CHECKERS)
            self.runtime = sync.RuntimeSource().get(tx)

    def marks(self) -> list[tuple[object, ...]]:
        for system in self.runtime.written_systems:
            with self.database.transaction() as tx:
                outbox.take_changes(tx, system=system, now=NOW)
        """How many people are marked; those who were merged away go with the next delivery."""
        return self.rows(
            "select system, count(*) from outbox.stale join profile.v_profile using (profile_id) group by 1 order by 1"
        )

    def write(self, records: Sequence[Record]) -> list[RecordFile]:
        texts = [b"".join(payload_of(r, STATED_AT) + b"\n" for r in records if r.system == each) for each in range(3)]
        return [self.write_file(system, text) for system, text in enumerate(texts)]

    def write_file(self, system: int, text: bytes) -> RecordFile:
        path = self.folder / f"{SYSTEMS[system]}.ndjson"
        path.write_bytes(text)
        return RecordFile(system=SYSTEMS[system], stream=STREAMS[system], path=path)

    def load(self, files: Sequence[RecordFile]) -> LoadReport:
        return sync.load_records(self.database, files=files, runtime=self.runtime, ids=self.ids, now=NOW)

    def accept(self, records: Sequence[Record], stated_at: datetime) -> None:
        changes = [
            NewChange(
                system=SYSTEMS[record.system],
                stream=STREAMS[record.system],
                external_id=record.external_id,
                version=stated_at.isoformat(),
                payload=payload_of(record, stated_at),
            )
            for record in records
        ]
        with self.database.transaction() as tx:
            inbox.accept_changes(tx, changes=changes, now=NOW)

    def unify(self) -> None:
        while True:
            with self.database.transaction() as tx:
                lease = leases.acquire(tx, name="unify", holder=self.ids.uuid7(NOW), seconds=60)
                assert lease is not None
                position = readers.get_position(tx, name=sync.READER)
                batch = inbox.read_changes(tx, position=position, count_max=500)
                prepared = sync.prepare(batch, self.runtime)
                sync.apply_batch(tx, prepared=prepared, runtime=self.runtime, lease=lease, ids=self.ids, now=NOW)
                leases.release(tx, lease=lease)
            if not batch.changes:
                return

    def rows(self, text: str) -> list[tuple[object, ...]]:
        with self.database.transaction() as tx:
            return tx.execute(text).fetchall()

    def people(self) -> set[frozenset[object]]:
        rows = self.rows("select array_agg(external_id) from identity.record group by profile_id")
        return {frozenset(row[0]) for row in rows}

    def golden(self) -> list[tuple[object, ...]]:
        return self.rows(
            "select (select min(r.external_id) from identity.record r where r.profile_id = g.profile_id), "
            "g.given_name, g.family_name, g.email, g.phone, g.birth_date, g.street, g.postcode, g.city, g.country, "
            "g.language from profile.golden g order by 1"
        )

    def observations(self) -> list[tuple[object, ...]]:
        return self.rows(
            "select system, external_id, given_name, given_name__at, given_name__seen, email, email__at, email__seen, "
            "phone, phone__at, phone__seen, birth_date, birth_date__at, birth_date__seen "
            "from profile.observation order by 1, 2"
        )

    def identities(self) -> list[tuple[object, ...]]:
        return self.rows("select system, external_id, features, rule, is_deleted from identity.record order by 1, 2")

    def identifiers(self) -> list[tuple[object, ...]]:
        return self.rows(
            "select i.key_hash, i.rule_tag, r.external_id "
            "from identity.identifier i join identity.record r using (record_id) order by 1, 2, 3"
        )

    def indexes(self) -> list[tuple[object, ...]]:
        return self.rows(
            "select indexdef from pg_indexes where schemaname in ('identity', 'profile') "
            "union all select conrelid::regclass || conname || pg_get_constraintdef(oid) from pg_constraint order by 1"
        )


def change_some(records: Sequence[Record]) -> list[Record]:
    """Give every fifth record another phone or e-mail, the ones of somebody else now and then."""
    changed = [record for record in records if record.number % 5 == 0]
    for before, record in zip([changed[-1], *changed], changed, strict=False):
        if record.number % 3 == 0:
            record.facts.email = before.facts.email
            record.facts.given_name = before.facts.given_name
        else:
            record.facts.phone = f"+3361299{record.number:04d}"
            record.facts.city = "Nantes"
    return changed


@pytest.fixture
def bulk(database: Database, tmp_path: Path) -> Loading:
    return Loading(database, tmp_path / "bulk")


@pytest.fixture
def single(second_database: Database, tmp_path: Path) -> Loading:
    return Loading(second_database, tmp_path / "single")


class TestLoadRecords:
    def test_ends_as_one_by_one_and_changes_go_on_from_there(self, bulk: Loading, single: Loading):
        population = Population(records=RECORDS)
        records = list(population.all_records())
        report = bulk.load(bulk.write(records))
        assert (report.record_count, report.inbox_count, report.rejected_count) == (RECORDS, 0, 0)
        single.accept(records, STATED_AT)
        single.unify()
        assert report.profile_count == len(single.people())
        assert bulk.people() == single.people()
        assert bulk.golden() == single.golden()
        assert bulk.observations() == single.observations()
        assert bulk.identifiers() == single.identifiers()
        assert [row[:3] for row in bulk.identities()] == [row[:3] for row in single.identities()]
        assert bulk.marks() == single.marks()
        assert bulk.indexes() == single.indexes()

        changed = change_some(records)
        for hub in (bulk, single):
            hub.accept(changed, STATED_AT + timedelta(days=1))
            hub.unify()
        assert bulk.people() == single.people()
        assert bulk.golden() == single.golden()

    def test_tells_everybody_of_new_people(self, bulk: Loading):
        report = bulk.load(bulk.write(Population(records=50).records(range(50))))
        found = bulk.rows(
            "select count(distinct payload ->> 'profile_id') from kernel.event where kind like '%created'"
        )
        assert found == [(report.profile_count,)]

    def test_leaves_what_is_odd_to_unify_and_names_what_is_no_record(self, bulk: Loading):
        records = Population(records=300).records(range(300))
        lines = [payload_of(record, STATED_AT) for record in records if record.system == 2]
        broken = lines[0].replace(b'"birth_date":', b'"birth_date":"the day before","x":', 1)
        again = lines[1].replace(b'"city":"', b'"city":"New ', 1)
        text = b"\n".join([broken, b"", *lines[1:], again, b"{not json", b'{"email":"a@example.com"}']) + b"\n"
        report = bulk.load([bulk.write_file(2, text)])
        assert report.record_count == len(lines) - 1
        assert report.inbox_count == 2
        assert [(each.line, each.code) for each in report.rejected] == [
            (len(lines) + 3, "unreadable_payload"),
            (len(lines) + 4, "no_external_id"),
        ]
        bulk.unify()
        assert bulk.rows("select count(*) from identity.record") == [(len(lines),)]
        assert bulk.rows("select count(*) from inbox.parked") == [(1,)]
        assert bulk.rows("select count(*) from profile.golden where city like 'New %'") == [(1,)]

    def test_takes_files_through_the_inbox_where_records_are_known(self, bulk: Loading):
        records = Population(records=40).records(range(40))
        bulk.load(bulk.write(records[:20]))
        report = bulk.load(bulk.write(records))
        assert (report.record_count, report.inbox_count) == (0, 40)
        assert bulk.load(bulk.write(records)).inbox_count == 0
        bulk.unify()
        assert bulk.rows("select count(*) from identity.record") == [(40,)]

    def test_refuses_a_stream_nobody_mapped(self, bulk: Loading):
        with pytest.raises(StreamUnmapped):
            bulk.load([RecordFile(system="hubspot-us", stream="deals", path=bulk.folder / "mappings.yaml")])

    def test_refuses_a_file_that_is_not_there(self, bulk: Loading):
        with pytest.raises(FileUnreadable, match="No such file"):
            bulk.load([RecordFile(system="hubspot-us", stream="contacts", path=bulk.folder / "nothing.ndjson")])
