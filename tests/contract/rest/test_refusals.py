"""Refused webhooks are counted, whatever their number, at the price of a write now and then."""

import asyncio
from datetime import UTC, datetime

from comity.connect.types import HookMalformed, SignatureInvalid
from comity.interfaces.rest.refusals import Refusals
from comity.kernel.clock import SystemClock
from comity.systems import api as systems

WATCH = """
create table public.written (system text);
create function public.watch() returns trigger language plpgsql as
$$ begin insert into public.written values (new.system); return null; end $$;
create trigger watch after update on systems.system for each row execute function public.watch();
"""


def test_a_flood_is_one_write_a_system(database):
    with database.transaction() as tx:
        known = {"crm": ("rest", "CRM"), "shop": ("rest", "Shop"), "quiet": ("rest", "Quiet")}
        systems.put_systems(tx, systems=known, now=datetime.now(UTC))
        tx.execute(WATCH)

    async def flood():
        refusals = Refusals(database=database, clock=SystemClock())
        for _ in range(5_000):
            refusals.note("crm", SignatureInvalid("first"))
            refusals.note("shop", HookMalformed("Expected `int`, got 'ada@byron.example'."))
        refusals.note("crm", SignatureInvalid("The header X is missing."))
        await refusals.close()
        refusals.note("crm", SignatureInvalid("later"))
        await refusals.close()

    asyncio.run(flood())
    with database.transaction() as tx:
        written = [row[0] for row in tx.execute("select system from public.written order by system").fetchall()]
        states = {each.system: each for each in systems.list_systems(tx)}
    assert written == ["crm", "crm", "shop"]
    assert {name: each.hooks_refused_count for name, each in states.items()} == {
        "crm": 5_002,
        "shop": 5_000,
        "quiet": 0,
    }
    assert (states["crm"].hook_refusal, states["quiet"].hook_refusal) == ("later", None)
    assert "body" in states["shop"].hook_refusal and "ada" not in states["shop"].hook_refusal, "no value of a payload"


def test_what_was_written_first_does_not_hide_what_came_last(database):
    """Several processes write when they get to it."""
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    with database.transaction() as tx:
        systems.put_systems(tx, systems={"crm": ("rest", "CRM")}, now=early)
        for at, reason in ((late, "late"), (early, "early")):
            systems.note_refused_hooks(tx, system="crm", refused_count=2, reason=reason, refused_at=at)
        [state] = systems.list_systems(tx)
    assert (state.hooks_refused_count, state.hook_refused_at, state.hook_refusal) == (4, late, "late")
