"""Commands about people: profile show, history, merges and unmerge, why."""

from typing import Annotated

import typer
from rich.markup import escape

from comity.identity import api as identity
from comity.interfaces.cli.days import to_day
from comity.interfaces.cli.opening import DataDir, open_hub, read_hub
from comity.interfaces.cli.output import Json, print_json, print_table, say, translates_errors
from comity.interfaces.shared.keys import KEY_FORMS, find_person, require_attribute, to_record_keys
from comity.interfaces.shared.money import tell_money
from comity.interfaces.shared.views import view_profile
from comity.kernel.database import Tx
from comity.profile import api as profile
from comity.sync import api as sync
from comity.sync.api import Unmerged

profiles = typer.Typer(help="People and what is known of them.", no_args_is_help=True)

LINES_MAX = 1_000

Key = Annotated[str, typer.Argument(help=f"{KEY_FORMS[0].upper()}{KEY_FORMS[1:]}.")]


@profiles.command("show")
@translates_errors
def show(
    key: Key,
    *,
    on: Annotated[
        str | None, typer.Option("--on", help="Sum up purchases as of the end of this day; today by default.")
    ] = None,
    timezone: Annotated[
        str, typer.Option("--timezone", help="Where days begin and end, such as Europe/Berlin.")
    ] = "UTC",
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Show one person whole: golden values, records in systems, points and tier, purchases."""
    day = to_day(on)
    with read_hub(data_dir=data_dir) as hub, hub.database.transaction() as tx:
        runtime = hub.runtimes.get(tx)
        profile_id = find_person(tx, key=key, runtime=runtime)
        view = view_profile(tx, profile_id=profile_id, runtime=runtime, now=hub.clock.now(), on=day, timezone=timezone)
    if json:
        print_json(view)
        return
    say(f"[bold]Global ID[/] {view.global_id}")
    print_table("Golden values", ("attribute", "value"), sorted(view.attributes.items()))
    print_table(
        "Records",
        ("system", "stream", "id", "linked by", "since"),
        [(r.system, r.stream, r.external_id, r.rule, r.linked_at.isoformat(timespec="seconds")) for r in view.records],
    )
    if view.memberships:
        print_table(
            "Memberships",
            ("programme", "tier", "points", "pending", "qualifying", "since"),
            [
                (m.programme, m.tier, m.points, m.pending, m.qualifying_points, m.enrolled_at.date().isoformat())
                for m in view.memberships
            ],
            numbers=(2, 3, 4),
        )
    kinds = [(m.programme, kind, told.points, told.pending) for m in view.memberships for kind, told in m.kinds.items()]
    if kinds:
        print_table("Points by kind", ("programme", "kind", "points", "pending"), kinds, numbers=(2, 3))
    if view.purchases:
        rfv = view.rfv
        print_table(
            f"Recency, frequency, value as of {rfv.on} ({rfv.timezone})",
            ("last purchase", "purchases", "net"),
            [
                (
                    rfv.last_purchase_on,
                    rfv.purchase_count,
                    ", ".join(tell_money(amount, currency) for currency, amount in sorted(rfv.value_minor.items())),
                )
            ],
            numbers=(1,),
        )
        print_table(
            "Latest purchases",
            ("when", "key", "amount", "first reported by"),
            [
                (
                    p.occurred_at.date().isoformat(),
                    p.business_key,
                    tell_money(p.amount_minor, p.currency),
                    p.first_system,
                )
                for p in view.purchases
            ],
            numbers=(2,),
        )


@profiles.command("history")
@translates_errors
def history(
    key: Key,
    field: Annotated[str | None, typer.Argument(help="A golden attribute, such as email; all without it.")] = None,
    *,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Show how golden values came about: when, from which system, by which rule, and what they replaced."""
    with read_hub(data_dir=data_dir) as hub, hub.database.transaction() as tx:
        runtime = hub.runtimes.get(tx)
        profile_id = find_person(tx, key=key, runtime=runtime)
        name = None if field is None else require_attribute(field, runtime=runtime)
        told = sync.list_history(tx, profile_id=profile_id, attribute=name)
    if json:
        print_json(told)
        return
    say(f"[bold]Global ID[/] {profile_id}")
    print_table(
        "Golden values, as they came",
        ("when", "attribute", "before", "value", "from", "because of", "by rule", "version"),
        [
            (
                each.happened_at.isoformat(timespec="seconds"),
                each.attribute,
                each.before,
                each.value,
                "\n".join(f"{said.system} {said.external_id}" for said in each.sources),
                " ".join(filter(None, (each.cause, each.actor, each.reason))),
                each.rule,
                each.rules_version,
            )
            for each in told.changes
        ],
        numbers=(7,),
    )
    if told.is_cut:
        say("The oldest changes are left out.", style="yellow")
    if told.differing:
        say(f"What is kept does not explain the present value of {', '.join(told.differing)}.", style="yellow")


@profiles.command("merges")
@translates_errors
def merges(key: Key, *, data_dir: DataDir = None, json: Json = False) -> None:
    """Show who was merged into a person and who was parted from them: when, by whom and why."""
    with read_hub(data_dir=data_dir) as hub, hub.database.transaction() as tx:
        profile_id = find_person(tx, key=key, runtime=hub.runtimes.get(tx))
        notes = identity.list_merges(tx, profile_id=profile_id, limit=LINES_MAX)
    if json:
        print_json(notes)
        return
    say(f"[bold]Global ID[/] {profile_id}")
    print_table(
        "Merges",
        ("when", "what", "Global ID", "other", "by", "why"),
        [
            (
                each.happened_at.isoformat(timespec="seconds"),
                "merged into" if each.is_merge else "parted from",
                each.profile_id,
                each.other_profile_id,
                f"{each.source} {each.actor}".strip(),
                each.reason,
            )
            for each in notes
        ],
    )


@profiles.command("unmerge")
@translates_errors
def unmerge(
    key: Key,
    *,
    record: Annotated[list[str], typer.Option(help="A record of somebody else, as system/stream/external-id.")],
    reason: Annotated[str, typer.Option(help="Why; it stays on record.")],
    by: Annotated[str, typer.Option(help="Who decides.")],
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Part records that are somebody else's from a person, for good: no rule joins them again."""
    keys = to_record_keys(record)
    with open_hub(data_dir=data_dir) as hub:

        def work(tx: Tx) -> Unmerged:
            runtime = hub.runtimes.get(tx)
            return sync.unmerge_person(
                tx,
                profile_id=find_person(tx, key=key, runtime=runtime),
                keys=keys,
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
        say("They were parted before; nothing changed.", style="yellow")
    say(f"[bold]{told.parted_global_id}[/] has {escape(', '.join(told.records))};")
    say(f"[bold]{told.global_id}[/] keeps the rest. Points and systems follow while the hub runs.")


@translates_errors
def why(
    key: Key,
    field: Annotated[str, typer.Argument(help="A golden attribute, such as email.")],
    *,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Say why a golden value is what it is: winner, losers, rule and version."""
    with read_hub(data_dir=data_dir) as hub, hub.database.transaction() as tx:
        runtime = hub.runtimes.get(tx)
        profile_id = find_person(tx, key=key, runtime=runtime)
        name = require_attribute(field, runtime=runtime)
        explanation = profile.explain(tx, profile_id=profile_id, attribute=name, model=runtime.model)
    if json:
        print_json(explanation)
        return
    value = "nothing" if explanation.value is None else repr(explanation.value)
    say(f"[bold]{escape(field)}[/] is {escape(value)}")
    rule = escape(explanation.rule_text or str(explanation.rule))
    say(f"by rule: {rule} (rules version {explanation.rules_version})")
    candidates = [
        *([explanation.winner] if explanation.winner else explanation.contributors),
        *explanation.losers,
    ]
    print_table(
        "",
        ("", "system", "id", "says", "since", "because"),
        [
            (
                candidate.reason.replace("_", " "),
                candidate.system,
                candidate.external_id,
                candidate.value,
                candidate.changed_at.isoformat(timespec="seconds") if candidate.changed_at else None,
                candidate.sentence,
            )
            for candidate in candidates
        ],
    )
