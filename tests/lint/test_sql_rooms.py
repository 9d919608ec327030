import pytest

from tools.lint import sql_rooms

RANKS = sql_rooms.upstream()


def check(tmp_path, room, text, *more):
    for number, each in enumerate((text, *more)):
        path = tmp_path / room / "sql" / f"{number}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(each)
    return [line.split(": ", 1)[1] for line in sql_rooms.check(tmp_path, RANKS)]


FUNCTION = "create function programme.f() returns bigint language plpgsql as $$ declare n bigint; begin {} end $$"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("select * from ledger.account", "ledger.account"),
        ("select * from profile.golden as v_golden", "profile.golden"),
        ("select (select max(x) from ledger.account)", "ledger.account"),
        ("with v as (select * from ledger.entry) select * from v", "ledger.entry"),
        ("select * from outbox.v_stale", "not upstream"),
        ("select * from segments.v_member", "not upstream"),
        ("update ledger.v_account set x = 1", "changes"),
        ("insert into kernel.event (kind) values (%(kind)s)", "changes"),
        ("delete from programme.member using ledger.account where true", "ledger.account"),
        ("select * from member", "without its schema"),
        ("select ledger.post(%(keys)s)", "function ledger.post"),
        ("select nextval('ledger.transfer_id')", "ledger.transfer_id"),
        ("select nextval('ledger.transfer_id'::regclass)", "ledger.transfer_id"),
        ("select null::ledger.kind", "type ledger.kind"),
        ("comment on table ledger.account is 'ours'", "ledger.account"),
        ("comment on column ledger.account.unit is 'ours'", "ledger.account"),
        ("select query_to_xml('select * from ledger.account', true, true, '')", "query_to_xml"),
        ("select set_config('search_path', 'ledger', true)", "set_config"),
        ("set local search_path to ledger", "search path"),
        (
            "create function programme.f() returns int language sql set search_path = ledger as 'select 1'",
            "search path",
        ),
        ("create table programme.x (id uuid references identity.profile)", "identity.profile"),
        ("create table ledger.x (id int)", "ledger.x"),
        ("create index on ledger.entry (x)", "ledger.entry"),
        ("create view ledger.v_more as select 1 as x", "ledger.v_more"),
        ("create function ledger.f() returns int language sql as 'select 1'", "ledger.f"),
        ("create function f() returns int language sql as 'select 1'", "without its schema"),
        ("create function programme.f() returns bigint language sql as 'select id from ledger.entry'", "ledger.entry"),
        ("create function programme.f() returns bigint begin atomic select id from ledger.entry; end", "ledger.entry"),
        ("create trigger t after insert on ledger.entry execute function programme.f()", "ledger.entry"),
        ("drop table ledger.entry", "ledger.entry"),
        ("create schema ledger", "schema ledger"),
        ("do $$ begin null; end $$", "DO block"),
        ("selec 1", "cannot read"),
        (FUNCTION.format("select id into n from ledger.entry; return n;"), "ledger.entry"),
        (FUNCTION.format("n := (select id from ledger.entry); return n;"), "ledger.entry"),
        (FUNCTION.format("if exists (select from ledger.entry) then return 1; end if; return 2;"), "ledger.entry"),
        (FUNCTION.format("perform ledger.post(); return 1;"), "ledger.post"),
        (FUNCTION.format("for n in select id from ledger.entry loop return n; end loop;"), "ledger.entry"),
        (FUNCTION.format("execute 'select 1'; return 1;"), "EXECUTE"),
    ],
)
def test_a_touch_past_the_door_is_caught(tmp_path, text, word):
    found = check(tmp_path, "programme", text)
    assert len(found) == 1
    assert word in found[0]


@pytest.mark.parametrize(
    "text",
    [
        "select * from programme.member where name like 'a%%' and id = %(id)s",
        "with known as (select 1 as x) select * from known, ledger.v_balance, identity.v_link, kernel.v_event",
        "select kernel.horizon(), pg_catalog.now(), lower(%(name)s::text)",
        "insert into programme.member select * from unnest(%(ids)s::uuid[]) on conflict do nothing returning *",
        "select nextval('programme.member_id'), count(*) from pg_class",
        "create temp table incoming (id bigint) on commit drop",
        "select 1 from programme.member m join programme.earning e using (x) for update of m, e",
        FUNCTION.format("select id into n from programme.member; n := n + 1; return n;"),
    ],
)
def test_what_a_room_may_do_passes(tmp_path, text):
    assert check(tmp_path, "programme", text) == []


def test_a_temporary_table_of_the_room_needs_no_schema(tmp_path):
    made = "create temp table incoming (id bigint) on commit drop"
    assert check(tmp_path, "programme", "select * from incoming", made) == []


def test_a_transition_table_needs_no_schema(tmp_path):
    trigger = """create trigger t after insert on programme.member referencing new table as added
        for each statement execute function programme.f()"""
    assert check(tmp_path, "programme", FUNCTION.format("return (select 1 from added);"), trigger) == []


def test_neighbours_are_not_upstream():
    assert "ledger" not in RANKS["activity"]
    assert {"ledger", "activity", "kernel"} <= RANKS["programme"]


def test_the_house_obeys():
    assert sql_rooms.check(sql_rooms.ROOT / "src/comity", RANKS) == []
