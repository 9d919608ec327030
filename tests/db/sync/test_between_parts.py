"""What may come between the two transactions of a batch, or beside them: deaths, faults, definitions, stewards."""

import psycopg
import pytest

from comity.identity import api as identity
from comity.inbox import api as inbox
from comity.kernel import leases
from comity.kernel.database import DatabaseUnavailable
from comity.kernel.leases import LeaseLost
from comity.sync import api as sync
from tests.db.sync.conveyor import BATCH, SYSTEMS, Clerk, arrivals, broken, held_up, strays
from tests.scenario.convergence import find_undecided
from tests.scenario.rehearsal import eventually


class TestDeathBetween:
    def test_what_waited_for_a_new_record_is_attached_by_the_next_process(self, conveyor):
        clerk = Clerk()
        conveyor.accept(*[clerk.order(number, number) for number in range(BATCH)])
        conveyor.run()
        assert conveyor.stage.query("select count(*) from activity.purchase where profile_id is null") == [(BATCH,)]
        conveyor.accept(*arrivals(clerk))
        conveyor.identify(conveyor.prepare())
        conveyor.stage.restart()
        conveyor.run()
        assert strays(conveyor) == []
        assert conveyor.stage.query("select count(*) from activity.purchase where profile_id is null") == [(0,)]
        [(created,)] = conveyor.stage.query("select count(*) from kernel.event where kind = 'identity.profile_created'")
        assert created == BATCH

    def test_a_merge_that_waited_for_its_survivor_is_not_forgotten(self, conveyor):
        clerk = Clerk()
        conveyor.accept(clerk.contact("crm-a", 9, LastName="Byron"), clerk.end("crm-a", 9, into=0))
        conveyor.run()
        assert conveyor.held("waiting merges") != []
        conveyor.accept(*arrivals(clerk))
        conveyor.identify(conveyor.prepare())
        conveyor.stage.restart()
        conveyor.run()
        assert conveyor.held("waiting merges") == []
        [(profiles,)] = conveyor.stage.query(
            "select count(distinct profile_id) from identity.record where external_id ~ '0[09]$'"
        )
        assert profiles == 1

    def test_the_newest_version_stands_where_two_batches_were_identified(self, conveyor):
        clerk = Clerk()
        conveyor.accept(*arrivals(clerk))
        conveyor.run()
        for name in ("early", "late"):
            conveyor.accept(*[
                clerk.contact("crm-a", number, FirstName="Given", LastName=name, Email=f"{name}{number}@x.example")
                for number in range(BATCH)
            ])  # fmt: skip
        first = conveyor.prepare()
        conveyor.identify(first)
        conveyor.identify(conveyor.prepare(first.end))
        conveyor.stage.restart()
        conveyor.run()
        assert conveyor.stage.query("select distinct features ->> 'family_name' from identity.record") == [("late",)]
        assert find_undecided(conveyor.hub) == 0

    def test_nothing_is_read_past_before_its_values_are_written(self, conveyor):
        clerk = Clerk()
        conveyor.accept(*arrivals(clerk), clerk.contact("crm-a", 0, MailingCity="Ulm"))
        start = conveyor.position()
        with held_up("write") as (_, waiting):
            step = conveyor.begin_step()
            eventually(lambda: waiting, what="the first part is done")
            assert conveyor.held("records") and conveyor.position() == start
        step.result(30)
        assert conveyor.position() != start


class TestFaults:
    @pytest.mark.parametrize(
        ("table", "condition"),
        [
            ("profile.observation", "new.city = 'Nowhere'"),
            ("identity.record", "new.features ->> 'email' = 'nobody@x.example'"),
        ],
    )
    def test_a_change_that_fails_by_itself_is_parked_in_either_part(self, conveyor, table, condition):
        clerk = Clerk()
        conveyor.accept(*arrivals(clerk))
        conveyor.run()
        changes = [
            clerk.contact("crm-a", number, Email=f"new{number}@x.example", MailingCity="Ulm") for number in range(BATCH)
        ]
        changes[2] = clerk.contact("crm-a", 2, Email="nobody@x.example", MailingCity="Nowhere")
        more = [
            clerk.contact("crm-a", number, Email=f"newer{number}@x.example", MailingCity="Wien")
            for number in range(BATCH)
            if number != 2
        ]
        for each in (changes, more, [clerk.order(1, 1)]):
            conveyor.accept(*each)
        with broken(conveyor, table, condition):
            conveyor.run()
        with conveyor.database.transaction() as tx:
            [parked] = inbox.list_parked(tx, count_max=10)
        assert parked.external_id.endswith("2")
        shown = dict(conveyor.stage.query("select external_id, city from profile.observation"))
        assert {city for name, city in shown.items() if not name.endswith("2")} == {"Wien"}
        mails = dict(conveyor.stage.query("select external_id, features ->> 'email' from identity.record"))
        assert all(mail.startswith("newer") for name, mail in mails.items() if not name.endswith("2"))
        assert strays(conveyor) == []

    def test_definitions_that_move_between_the_parts_count_for_both(self, conveyor):
        clerk = Clerk()
        conveyor.accept(*arrivals(clerk, 2 * BATCH))
        conveyor.run()
        conveyor.accept(*[
            clerk.contact("crm-a", number, MailingCity="Ulm", OtherCity="Bonn") for number in range(2 * BATCH)
        ])  # fmt: skip
        with held_up("write") as (_, waiting):
            step = conveyor.begin_step()
            eventually(lambda: waiting, what="the first part is done")
            conveyor.stage.replace("mapping-crm-a", "MailingCity", "OtherCity")
            conveyor.stage.apply()
        step.result(30)
        assert ("Ulm",) not in conveyor.stage.query("select distinct city from profile.observation")
        conveyor.run()
        assert conveyor.stage.query("select distinct city from profile.observation") == [("Bonn",)]

    def test_match_rules_that_move_while_values_are_written_let_the_next_batch_wait(self, conveyor):
        clerk = Clerk()
        conveyor.accept(*arrivals(clerk))
        conveyor.run()
        for city in ("Ulm", "Wien"):
            clerk.stand_still()
            conveyor.accept(*[clerk.contact("crm-a", number, MailingCity=city) for number in range(BATCH)])
        with conveyor.database.transaction() as tx:
            identity.lock_places(tx)
            step = conveyor.begin_step()
            eventually(lambda: _waiters(conveyor), what="the values wait for a lock")
            conveyor.stage.replace("match", "similar: 0.85", "similar: 0.8")
            conveyor.stage.apply()
        step.result(30)
        conveyor.run()
        assert conveyor.stage.query("select distinct city from profile.observation") == [("Wien",)]

    def test_a_lease_lost_between_the_parts_leaves_the_batch_to_who_took_it(self, conveyor):
        clerk = Clerk()
        conveyor.accept(*arrivals(clerk))
        prepared = conveyor.prepare()
        identified = conveyor.identify(prepared)
        keeper = conveyor.stage._unify._keeper
        lost = keeper.get()
        with conveyor.database.transaction() as tx:
            tx.execute("update kernel.lease set expires_at = '-infinity'")
            holder = conveyor.hub.ids.uuid7(conveyor.hub.clock.now())
            assert leases.acquire(tx, name="unify", holder=holder, seconds=30.0)
        assert keeper.get() == lost
        with pytest.raises(LeaseLost):
            conveyor.apply_values(prepared, identified)
        assert conveyor.position() == prepared.start
        assert conveyor.held("books") == [(None, None, None)]

    def test_values_are_written_once(self, conveyor):
        conveyor.accept(*arrivals(Clerk()))
        prepared = conveyor.prepare()
        identified = conveyor.identify(prepared)
        conveyor.apply_values(prepared, identified)
        with pytest.raises(LeaseLost):
            conveyor.apply_values(prepared, identified)
        assert conveyor.held("books")[0][0] == BATCH

    def test_a_session_that_dies_in_the_second_part_is_made_up_for(self, conveyor):
        clerk = Clerk()
        conveyor.accept(*arrivals(clerk))
        conveyor.run()
        for city in ("Ulm", "Wien", "Graz"):
            conveyor.accept(*[clerk.contact("crm-a", number, MailingCity=city) for number in range(BATCH)])
        start = conveyor.position()
        with conveyor.database.transaction() as tx:
            identity.lock_places(tx)
            step = conveyor.begin_step()
            waiting = eventually(lambda: _waiters(conveyor), what="the values wait for a lock")
            assert tx.execute("select pg_terminate_backend(%s, 5000)", waiting[0]).fetchone() == (True,)
            with pytest.raises(DatabaseUnavailable):
                step.result(30)
        assert conveyor.position() == start
        conveyor.run()
        assert conveyor.held("books")[0][0] == 4 * BATCH
        assert find_undecided(conveyor.hub) == 0


def _waiters(conveyor):
    return conveyor.stage.query(
        "select pid from pg_locks where locktype = 'advisory' and not granted "
        "and database = (select oid from pg_database where datname = current_database())"
    )


class TestBesideOthers:
    def _identified_edit(self, conveyor, clerk):
        """Two people of three records; an edit of one is identified, and not yet written."""
        same = {"FirstName": "Ada", "LastName": "Byron", "Email": "ada@x.example", "Birthdate": "1815-12-10"}
        conveyor.accept(*[clerk.contact(name, 1, **same) for name in SYSTEMS], *arrivals(clerk, 1))
        conveyor.run()
        conveyor.accept(clerk.contact("crm-a", 1, MailingCity="Ulm"), clerk.order(1, 1))
        prepared = conveyor.prepare()
        return prepared, conveyor.identify(prepared)

    def _steward(self, conveyor, what, **given):
        runtime = conveyor.hub.get_runtime()
        with conveyor.database.transaction() as tx:
            return what(
                tx,
                runtime=runtime,
                ids=conveyor.hub.ids,
                now=conveyor.hub.clock.now(),
                reason="told so",
                actor="steward",
                **given,
            )

    def _profiles(self, conveyor):
        return dict(conveyor.stage.query("select system || right(external_id, 1), profile_id from identity.record"))

    def test_a_steward_who_merges_between_the_parts(self, conveyor):
        prepared, identified = self._identified_edit(conveyor, Clerk())
        of = self._profiles(conveyor)
        self._steward(conveyor, sync.merge_people, profile_ids=[of["crm-a0"], of["crm-a1"]])
        conveyor.apply_values(prepared, identified)
        assert strays(conveyor) == []
        assert find_undecided(conveyor.hub) == 0
        assert len(set(self._profiles(conveyor).values())) == 1

    def test_a_steward_who_parts_between_the_parts(self, conveyor):
        prepared, identified = self._identified_edit(conveyor, Clerk())
        of = self._profiles(conveyor)
        [key] = [fact.key for fact in prepared.facts]
        self._steward(conveyor, sync.unmerge_person, profile_id=of["crm-a1"], keys=[key])
        conveyor.apply_values(prepared, identified)
        parted = self._profiles(conveyor)
        assert parted["crm-a1"] != parted["crm-b1"]
        assert strays(conveyor) == []
        assert find_undecided(conveyor.hub) == 0

    def test_a_steward_waits_for_values_that_are_being_written(self, conveyor):
        prepared, identified = self._identified_edit(conveyor, Clerk())
        with conveyor.database.transaction() as tx:
            identity.hold_places(
                tx, record_ids=identified.record_ids, profile_ids=identified.profile_ids, moves=identified.moves
            )
            with conveyor.database.transaction() as other:
                other.execute("set local lock_timeout = '50ms'")
                with pytest.raises(psycopg.errors.LockNotAvailable):
                    identity.lock_places(other)
        conveyor.apply_values(prepared, identified)

    def test_a_merge_of_the_next_batch_waits_and_takes_purchases_along(self, conveyor):
        clerk = Clerk()
        conveyor.accept(*arrivals(clerk))
        conveyor.run()
        conveyor.accept(*[clerk.order(number, 1) for number in range(BATCH)])
        for number in (1, 2):
            conveyor.accept(clerk.contact("crm-a", number, FirstName="Ada", LastName="Byron", Email="one@x.example"))
        conveyor.accept(*[clerk.contact("crm-a", number, MailingCity="Ulm") for number in (0, 3, 4)])
        with conveyor.database.transaction() as tx:
            tx.execute("lock table activity.report in exclusive mode")
            step = conveyor.begin_step()
            eventually(lambda: _relation_waiters(conveyor), what="the purchases wait")
            eventually(lambda: _waiters(conveyor), what="the merge waits for who relies on places")
        step.result(30)
        conveyor.run()
        of = self._profiles(conveyor)
        assert of["crm-a1"] == of["crm-a2"]
        assert strays(conveyor) == []
        assert find_undecided(conveyor.hub) == 0

    def test_ends_are_never_parted(self, conveyor):
        clerk = Clerk()
        conveyor.accept(*arrivals(clerk))
        conveyor.run()
        conveyor.accept(clerk.end("crm-a", 0))
        prepared = conveyor.prepare()
        assert not sync.can_part(prepared)
        conveyor.accept(*[clerk.contact("crm-a", number, MailingCity="Ulm") for number in range(1, BATCH)])
        with held_up("write") as (_, waiting):
            conveyor.step()
        assert conveyor.stage.query("select is_deleted from identity.record where external_id ~ '0$'") == [(True,)]
        assert not waiting


def _relation_waiters(conveyor):
    return conveyor.stage.query("select pid from pg_locks where locktype = 'relation' and not granted")
