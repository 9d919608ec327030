"""L5: the hub's own database role changes nothing that was posted, and everything that posts works as that role."""

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from comity.kernel.database import Database
from comity.kernel.migrate import SchemaOutdated, require_schema
from comity.kernel.ownership import OwnerMissing, OwnerUnsuitable
from comity.ledger import api
from comity.ledger.types import (
    AccountKind,
    Book,
    Capture,
    Move,
    NewAccount,
    NewHold,
    Posting,
    Release,
    Reversal,
    TermChange,
    Terms,
)
from comity.wiring import ROOMS, migrate

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY = date(2026, 3, 10)
SOURCE = {"system": "shop", "external_id": "1", "effective_on": DAY}

IMMUTABLE = (
    "select tgrelid::regclass::text from pg_trigger where tgfoid = 'ledger.refuse_change'::regproc order by tgrelid"
)
STRANGERS = """
    select c.oid::regclass::text
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = any(%(rooms)s) and pg_get_userbyid(c.relowner) <> %(role)s
    union all
    select p.oid::regprocedure::text
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname = any(%(rooms)s) and pg_get_userbyid(p.proowner) <> %(role)s
    union all
    select t.oid::regtype::text
    from pg_type t join pg_namespace n on n.oid = t.typnamespace
    where n.nspname = any(%(rooms)s) and pg_get_userbyid(t.typowner) <> %(role)s
    union all
    select nspname from pg_namespace where nspname = any(%(rooms)s) and pg_get_userbyid(nspowner) <> %(role)s
"""


def post(tx, key, debit, credit, amount, **changes):
    wish = Posting(
        idempotency_key=key, debit_account_id=debit, credit_account_id=credit, amount=amount, kind="any",
        **SOURCE | changes,
    )  # fmt: skip
    [verdict] = api.post(tx, postings=[wish], now=NOW)
    assert verdict.transfer_id, verdict
    return verdict.transfer_id


def live(database, name):
    """Do everything there is to do with points; then the books hold."""
    with database.transaction() as tx:
        kinds = [(AccountKind.PROGRAMME, "p"), (AccountKind.MEMBER, "ada"), (AccountKind.MEMBER, "bob")]
        accounts = [NewAccount(book=Book.POINTS, unit=name, kind=kind, owner=owner) for kind, owner in kinds]
        programme, ada, bob = api.open_accounts(tx, accounts=accounts, now=NOW)
        earned = post(tx, f"{name} a", programme, ada, 100, terms=Terms(expires_on=DAY + timedelta(days=1)))
        waits = post(tx, f"{name} b", programme, ada, 50, terms=Terms(is_pending=True))
        post(tx, f"{name} c", ada, programme, 10)
        change = TermChange(lot_id=waits, idempotency_key=f"{name} d", terms=Terms(), reason="came")
        api.change_terms(tx, changes=[change], now=NOW)
        holds = [
            NewHold(
                idempotency_key=f"{name} h{n}",
                account_id=ada,
                amount=10,
                deadline_at=NOW + timedelta(hours=1),
                **SOURCE,
            )
            for n in range(3)
        ]
        first, second, _ = [each.transfer_id for each in api.reserve(tx, holds=holds, now=NOW)]
        capture = Capture(idempotency_key=f"{name} e", hold_id=first, credit_account_id=programme, amount=4, **SOURCE)
        [captured] = api.capture(tx, captures=[capture], now=NOW)
        [released] = api.release(tx, releases=[Release(idempotency_key=f"{name} f", hold_id=second, **SOURCE)], now=NOW)
        assert captured.outcome and released.outcome
        back = Reversal(transfer_id=earned, idempotency_key=f"{name} g", reason="", amount=5, **SOURCE)
        assert api.reverse(tx, reversals=[back], now=NOW)[0].is_booked
        move = Move(idempotency_key=f"{name} m", source_account_id=ada, target_account_id=bob, kind="merge", **SOURCE)
        api.move_all(tx, moves=[move], now=NOW)
        later = NOW + timedelta(days=2)
        assert api.time_out_holds(tx, unit=name, today=later.date(), now=later)
        assert api.expire_lots(tx, unit=name, today=later.date(), now=later)
        api.lock_period(tx, unit=name, through=date(2026, 2, 28), by="ada", reason="close", now=later)
        api.reopen_period(
            tx, unit=name, through=date(2026, 1, 31), by="ada", confirmed_by="bob", reason="error", now=later
        )
    sealed = 0
    for _ in range(2):
        with database.transaction() as tx:
            sealed += api.seal(tx, now=NOW)
    assert sealed > 0
    with database.transaction() as tx:
        assert api.verify(tx).problems == []


@pytest.fixture
def two_roles(server_dsn):
    """A database made as the guide says: of an owner who is nobody in particular, and a role of the hub's."""
    name = f"roles_{uuid4().hex[:12]}"
    hub, owner = f"{name}_hub", f"{name}_owner"
    with psycopg.connect(server_dsn, autocommit=True) as admin:
        admin.execute(f"create role {hub} login password 'hub'")
        admin.execute(f"create role {owner} login password 'owner'")
        admin.execute(f"grant {hub} to {owner}")
        admin.execute(f"create database {name} owner {owner} template template0 encoding 'UTF8'")
        admin.execute(f"grant create on database {name} to {hub}")
        database = Database(dsn=make_conninfo(server_dsn, dbname=name, user=hub, password="hub"))
        yield database, make_conninfo(server_dsn, dbname=name, user=owner, password="owner")
        database.close()
        admin.execute(f"drop database {name} with (force)")
        admin.execute(f"drop role {hub}, {owner}")


@pytest.fixture(params=["embedded", "two roles", "hub alone before", "owner alone before"])
def guarded(request):
    """The hub's own role on a ledger that belongs to somebody else, from the beginning or since later."""
    if request.param == "embedded":
        return request.getfixturevalue("database")
    database, owner_dsn = request.getfixturevalue("two_roles")
    if "alone" in request.param:  # The latter is how the embedded cluster of an earlier version is found.
        before = Database(dsn=owner_dsn) if "owner" in request.param else database
        migrate(before)
        live(before, "before")
        with before.transaction() as tx:
            assert not api.is_guarded(tx)
        if before is not database:
            before.close()
            with pytest.raises(SchemaOutdated):
                require_schema(database, rooms=ROOMS)
    migrate(database, owner_dsn=owner_dsn)
    return database


def list_immutable(connection):
    return [row[0] for row in connection.execute(IMMUTABLE)]


def test_the_hub_changes_nothing_that_was_posted(guarded):
    live(guarded, "points")
    with guarded.transaction() as tx:
        assert api.is_guarded(tx)
    with guarded.connect() as connection:
        tables = list_immutable(connection)
        assert len(tables) == 11
        for table in tables:
            is_account = table == "ledger.account"  # Its balance is derived, and changes.
            [column] = connection.execute(
                "select attname from pg_attribute where attrelid = %s::regclass and not attname = any(%s) "
                "order by attnum desc limit 1",
                (table, ["balance", "owed"] if is_account else []),
            ).fetchone()
            trigger = sql.Identifier(f"{table.removeprefix('ledger.')}_is_immutable")
            names = {"table": sql.SQL(table), "column": sql.Identifier(column), "trigger": trigger}
            for text in (
                "update {table} set {column} = {column}",
                "delete from {table}",
                "truncate {table}",
                *(() if is_account else ("select from {table} for update",)),
                "alter table {table} disable trigger all",
                "alter table {table} disable trigger user",
                "alter table {table} enable replica trigger {trigger}",
                "drop trigger {trigger} on {table}",
                "alter table {table} owner to current_user",
                "alter table {table} alter {column} type text",
                "create rule never as on insert to {table} do instead nothing",
                "create trigger other before insert on {table} execute function ledger.refuse_change()",
                "drop table {table} cascade",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(sql.SQL(text).format(**names))
            # Grants nothing, and only warns of that.
            connection.execute(sql.SQL("grant update, delete on {table} to current_user").format(**names))
        assert api.is_guarded(connection)


def test_the_hub_reaches_the_ledger_in_no_other_way(guarded):
    with guarded.connect() as connection:
        [owner] = connection.execute(
            "select pg_get_userbyid(nspowner) from pg_namespace where nspname = 'ledger'"
        ).fetchone()
        names = {"owner": sql.Identifier(owner), "database": sql.Identifier(connection.info.dbname)}
        for text in (
            "set role {owner}",
            "set session authorization {owner}",
            "set session_replication_role = replica",
            "grant {owner} to current_user",
            "alter role {owner} password 'mine'",
            "drop schema ledger cascade",
            "alter schema ledger owner to current_user",
            "create table ledger.more ()",
            "create or replace view ledger.v_period as select 1",
            "create or replace function ledger.refuse_change() returns trigger language plpgsql as 'begin end'",
            "alter function ledger.refuse_change() owner to current_user",
            "alter database {database} owner to current_user",
            "drop database {database}",
        ):
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidGrantOperation)):
                connection.execute(sql.SQL(text).format(**names))
        others = [room for room in ROOMS if room != "ledger"]
        assert connection.execute(STRANGERS, {"rooms": others, "role": guarded_role(guarded)}).fetchall() == []
        assert connection.execute(STRANGERS, {"rooms": ["ledger"], "role": owner}).fetchall() == []


def guarded_role(database):
    return conninfo_to_dict(database.dsn)["user"]


def test_the_owner_is_held_back_by_the_triggers(guarded, to_owner):
    with psycopg.connect(to_owner(guarded), autocommit=True) as connection:
        for table in list_immutable(connection):
            name = sql.SQL(table)
            for text in ("delete from {}", "truncate {}"):
                with pytest.raises(psycopg.errors.RestrictViolation):
                    connection.execute(sql.SQL(text).format(name))


@pytest.mark.parametrize("right", ["update (reason)", "delete", "truncate", "trigger"])
def test_a_right_too_many_is_seen(two_roles, right):
    database, owner_dsn = two_roles
    migrate(database, owner_dsn=owner_dsn)
    with psycopg.connect(owner_dsn) as owner:
        owner.execute(f"grant {right} on ledger.transfer to public")
    with database.transaction() as tx:
        assert not api.is_guarded(tx)


def test_a_migrated_schema_needs_no_owner(two_roles):
    database, owner_dsn = two_roles
    migrate(database, owner_dsn=owner_dsn)
    assert migrate(database) == []
    with database.transaction() as tx:
        tx.execute("update kernel.function_set set digest = 'older' where room = 'ledger'")
    with pytest.raises(OwnerMissing):
        migrate(database)
    assert migrate(database, owner_dsn=owner_dsn) == ["ledger/functions"]
    live(database, "points")


def test_an_owner_that_is_none_is_refused(two_roles, server_dsn):
    database, owner_dsn = two_roles
    hub, owner = guarded_role(database), conninfo_to_dict(owner_dsn)["user"]
    for wrong, remedy in (
        (database.dsn, "Name another role"),
        (make_conninfo(server_dsn), "the same server and database"),
    ):
        with pytest.raises(OwnerUnsuitable) as raised:
            migrate(database, owner_dsn=wrong)
        assert remedy in raised.value.details["remedy"]
    with psycopg.connect(server_dsn) as admin:
        admin.execute(f"revoke {hub} from {owner}")
    with pytest.raises(OwnerUnsuitable) as raised:
        migrate(database, owner_dsn=owner_dsn)
    with psycopg.connect(server_dsn) as admin:
        admin.execute(raised.value.details["remedy"].removeprefix("Run: "))
    name = sql.Identifier(conninfo_to_dict(owner_dsn)["dbname"])
    with psycopg.connect(server_dsn) as admin:
        admin.execute(sql.SQL("alter database {} owner to current_user").format(name))
        admin.execute(sql.SQL("revoke create on database {} from {}").format(name, sql.Identifier(hub)))
    with pytest.raises(OwnerUnsuitable) as raised:
        migrate(database, owner_dsn=owner_dsn)
    assert "permission denied for database" in raised.value.details["cause"]
    with psycopg.connect(server_dsn) as admin:
        admin.execute(sql.SQL("alter database {} owner to {}").format(name, sql.Identifier(owner)))
        admin.execute(sql.SQL("grant create on database {} to {}").format(name, sql.Identifier(hub)))
    assert migrate(database, owner_dsn=owner_dsn)
