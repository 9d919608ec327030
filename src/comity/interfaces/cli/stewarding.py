"""Commands of data stewards: what waits for a decision, why two records are one person or not, merges."""

from typing import Annotated

import typer
from rich.markup import escape

from comity.identity import api as identity
from comity.identity.types import Record
from comity.interfaces.cli.opening import DataDir, open_hub, read_hub
from comity.interfaces.cli.output import Json, print_json, print_table, say, translates_errors
from comity.interfaces.cli.people import Key, profiles
from comity.interfaces.shared.keys import find_person, to_record_keys
from comity.kernel.database import Tx
from comity.sync import api as sync
from comity.sync.api import Merged

REVIEWS_MAX = 1_000


@profiles.command("reviews")
@translates_errors
def reviews(
    *,
    after: Annotated[int, typer.Option(help="Go on after this review.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=REVIEWS_MAX, help="Reviews at most.")] = 100,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Show the links that were not made and wait for somebody to look, oldest first."""
    with read_hub(data_dir=data_dir) as hub, hub.database.transaction() as tx:
        found = identity.list_reviews(tx, after=after, limit=limit)
    if json:
        print_json(found)
        return
    print_table(
        "Reviews",
        ("review", "since", "why not linked", "rule", "value", "records"),
        [
            (
                each.review_id,
                each.opened_at.isoformat(timespec="seconds"),
                each.kind.replace("_", " "),
                each.rule,
                each.value,
                "\n".join(map(_name, each.records)) or None,
            )
            for each in found
        ],
        numbers=(0,),
    )
    if found:
        say("Next: [bold]comity profile link[/] RECORD RECORD says what speaks for and against,")
        say("[bold]comity profile merge[/] joins; match rules that fit better close many at once.")
    else:
        say("Nothing waits.")


@profiles.command("link")
@translates_errors
def link(
    record_a: Annotated[str, typer.Argument(help="A record, as system/stream/external-id.")],
    record_b: Annotated[str, typer.Argument(help="Another record.")],
    *,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Say why two records are one person, or why they are not: every rule, every guard, what was decided."""
    first, second = to_record_keys([record_a])[0], to_record_keys([record_b])[0]
    with read_hub(data_dir=data_dir) as hub, hub.database.transaction() as tx:
        match = hub.runtimes.get(tx).match
        told = identity.explain_link(tx, record_a=first, record_b=second, match=match)
    if json:
        print_json(told)
        return
    say(f"[bold]{escape(told.summary)}[/]")
    if told.decision:
        say(f"decided: {escape(told.decision)}")
    print_table(
        "Rules",
        ("rule", "verdict", "key", "shared by", "guards"),
        [
            (
                each.rule,
                each.verdict,
                each.key_a if each.is_equal else f"{each.key_a or '-'} / {each.key_b or '-'}",
                each.shared_by or None,
                "\n".join(f"{g.attribute} {g.outcome}: {g.value_a} / {g.value_b}" for g in each.guards) or None,
            )
            for each in told.rules
        ],
        numbers=(3,),
    )


@profiles.command("merge")
@translates_errors
def merge(
    key: Key,
    others: Annotated[list[str], typer.Argument(help="Who is the same person, each by any key.")],
    *,
    reason: Annotated[str, typer.Option(help="Why; it stays on record.")],
    by: Annotated[str, typer.Option(help="Who decides.")],
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Join people who are one; the oldest Global ID stays, and the others still find them."""
    with open_hub(data_dir=data_dir) as hub:

        def work(tx: Tx) -> Merged:
            runtime = hub.runtimes.get(tx)
            return sync.merge_people(
                tx,
                profile_ids=[find_person(tx, key=each, runtime=runtime) for each in (key, *others)],
                reason=reason,
                actor=by,
                runtime=runtime,
                now=hub.clock.now(),
                ids=hub.ids,
            )

        told = hub.database.run(work)
    if json:
        print_json(told)
        return
    if told.is_duplicate:
        say("They were one person before; nothing changed.", style="yellow")
    say(f"[bold]{told.global_id}[/] is everybody. Points and systems follow while the hub runs.")


def _name(record: Record) -> str:
    return f"{record.system}/{record.stream}/{record.external_id}"
