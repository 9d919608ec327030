"""Commands about what was set aside: changes that could not be used, refused deliveries, what waits for others."""

from typing import Annotated
from uuid import UUID

import typer

from comity.activity import api as activity
from comity.inbox import api as inbox
from comity.interfaces.cli.opening import DataDir, open_hub, read_hub
from comity.interfaces.cli.output import Json, print_json, print_table, say, translates_errors
from comity.kernel.errors import Invalid
from comity.outbox import api as outbox


class IdsUnusable(Invalid):
    """Give ids as `comity parked list` shows them: numbers of changes, or with --deliveries ids of people."""


parked = typer.Typer(help="What was set aside, with its reason; nothing vanishes.", no_args_is_help=True)

System = Annotated[str | None, typer.Option(help="Only of this system.")]
SHOWN_MAX = 200


@parked.command("list")
@translates_errors
def list_parked(
    *,
    closed: Annotated[bool, typer.Option("--closed", help="Changes that were closed, and what closed them.")] = False,
    system: System = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """List parked changes and deliveries, and what waits: purchases for their person, returns for their purchase."""
    with read_hub(data_dir=data_dir) as hub, hub.database.transaction() as tx:
        changes = inbox.list_parked(tx, system=system, is_closed=closed, count_max=SHOWN_MAX)
        deliveries = [] if closed else outbox.list_parked(tx, system=system, count_max=SHOWN_MAX)
        waiting = [] if closed else activity.list_unplaced(tx, system=system, limit_max=SHOWN_MAX)
    if json:
        print_json({"changes": changes, "deliveries": deliveries, "waiting": waiting})
        return
    if not (changes or deliveries or waiting):
        say("Nothing was closed." if closed else "Nothing is parked, and nothing waits.")
        return
    print_table(
        "Changes",
        ("id", "record", "field", "what", "closed by" if closed else "remedy"),
        [
            (
                str(c.change_id),
                f"{c.system}/{c.stream}/{c.external_id}",
                c.field,
                c.message,
                c.closed_by if closed else c.remedy,
            )
            for c in changes
        ],
    )
    print_table(
        "Deliveries",
        ("system", "person", "code", "what"),
        [(d.system, d.profile_id, d.code, d.message) for d in deliveries],
    )
    print_table(
        "Waiting",
        ("what", "record", "number", "waits for", "since"),
        [
            (w.kind, f"{w.system}/{w.stream}/{w.external_id}", w.business_key, w.waits_for, f"{w.recorded_at:%F %R}")
            for w in waiting
        ],
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
            count, not_open = outbox.replay_parked(tx, system=system, now=now), []
        else:
            replayed = inbox.replay_parked(tx, system=system, change_ids=ids or None, now=now)
            count, not_open = len(replayed), sorted({*(ids or ())} - {*replayed})
    _tell("replayed", count, not_open, json=json)


@parked.command("discard")
@translates_errors
def discard(
    ids: Annotated[list[str], typer.Argument(help="Change ids; with --deliveries ids of people.")],
    *,
    deliveries: Annotated[
        bool, typer.Option("--deliveries", help="Give parked deliveries to --system up, until something else changes.")
    ] = False,
    system: System = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Close parked changes for good; they stay in the inbox and under `list --closed`."""
    try:
        people = [UUID(each) for each in ids] if deliveries else []
        change_ids = [] if deliveries else [int(each) for each in ids]
    except ValueError as error:
        raise IdsUnusable(details={"ids": ids}) from error
    if deliveries and system is None:
        raise IdsUnusable("Name the --system whose deliveries are given up.")
    with open_hub(data_dir=data_dir) as hub, hub.database.transaction() as tx:
        if deliveries:
            count, not_open = outbox.discard_parked(tx, system=system or "", profile_ids=people), []
        else:
            closed = inbox.discard_parked(tx, change_ids=change_ids, actor="command line", now=hub.clock.now())
            count, not_open = len(closed), sorted({*change_ids} - {*closed})
    _tell("discarded", count, not_open, json=json)


def _tell(done: str, count: int, not_open: list[int], *, json: bool) -> None:
    """Say how many it was, and which of those asked for are not parked."""
    if json:
        print_json({done: count, "not_open": not_open})
        return
    say(f"{count} {done}.")
    if not_open:
        listed = ", ".join(map(str, not_open))
        say(f"Not parked, or closed already: {listed}. `comity parked list` shows what is open.", style="yellow")
