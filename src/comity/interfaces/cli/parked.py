"""Commands about what was set aside: changes that could not be used, deliveries that were refused."""

from typing import Annotated

import typer

from comity.inbox import api as inbox
from comity.interfaces.cli.opening import DataDir, open_hub
from comity.interfaces.cli.output import Json, print_json, print_table, say, translates_errors
from comity.outbox import api as outbox

parked = typer.Typer(help="What was set aside, with its reason; nothing vanishes.", no_args_is_help=True)

System = Annotated[str | None, typer.Option(help="Only of this system.")]
SHOWN_MAX = 200


@parked.command("list")
@translates_errors
def list_parked(*, system: System = None, data_dir: DataDir = None, json: Json = False) -> None:
    """List parked changes and deliveries."""
    with open_hub(data_dir=data_dir) as hub, hub.database.transaction() as tx:
        changes = inbox.list_parked(tx, system=system, count_max=SHOWN_MAX)
        deliveries = outbox.list_parked(tx, system=system, count_max=SHOWN_MAX)
    if json:
        print_json({"changes": changes, "deliveries": deliveries})
        return
    print_table(
        "Changes",
        ("id", "record", "field", "what", "remedy"),
        [(str(c.change_id), f"{c.system}/{c.stream}/{c.external_id}", c.field, c.message, c.remedy) for c in changes],
    )
    print_table(
        "Deliveries",
        ("system", "person", "code", "what"),
        [(d.system, d.profile_id, d.code, d.message) for d in deliveries],
    )


@parked.command("replay")
@translates_errors
def replay(
    ids: Annotated[list[int] | None, typer.Argument(help="Change ids; all open ones when none is given.")] = None,
    *,
    deliveries: Annotated[bool, typer.Option("--deliveries", help="Replay parked deliveries instead.")] = False,
    system: System = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Put parked changes in again (after mapping or data were corrected), or retry parked deliveries."""
    with open_hub(data_dir=data_dir) as hub, hub.database.transaction() as tx:
        now = hub.clock.now()
        if deliveries:
            count = outbox.replay_parked(tx, system=system, now=now)
        else:
            count = len(inbox.replay_parked(tx, change_ids=ids or None, now=now))
    if json:
        print_json({"replayed": count})
    else:
        say(f"{count} replayed.")
