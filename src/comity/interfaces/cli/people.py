"""Commands about people: profile show, why."""

from typing import Annotated

import typer
from rich.markup import escape

from comity.interfaces.cli.opening import DataDir, open_hub
from comity.interfaces.cli.output import Json, print_json, print_table, say, translates_errors
from comity.interfaces.shared.keys import KEY_FORMS, find_person, require_attribute
from comity.interfaces.shared.views import view_profile
from comity.profile import api as profile

profiles = typer.Typer(help="People and what is known of them.", no_args_is_help=True)

Key = Annotated[str, typer.Argument(help=f"{KEY_FORMS[0].upper()}{KEY_FORMS[1:]}.")]


@profiles.command("show")
@translates_errors
def show(key: Key, *, data_dir: DataDir = None, json: Json = False) -> None:
    """Show one person whole: golden values, records in systems, points and tier, purchases."""
    with open_hub(data_dir=data_dir) as hub, hub.database.transaction() as tx:
        runtime = hub.runtimes.get(tx)
        view = view_profile(tx, profile_id=find_person(tx, key=key, runtime=runtime))
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
    if view.purchases:
        print_table(
            "Latest purchases",
            ("when", "key", "amount (minor units)", "currency", "first reported by"),
            [
                (p.occurred_at.date().isoformat(), p.business_key, p.amount_minor, p.currency, p.first_system)
                for p in view.purchases
            ],
            numbers=(2,),
        )


@translates_errors
def why(
    key: Key,
    field: Annotated[str, typer.Argument(help="A golden attribute, such as email.")],
    *,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Say why a golden value is what it is: winner, losers, rule and version."""
    with open_hub(data_dir=data_dir) as hub, hub.database.transaction() as tx:
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
                candidate.reason,
                candidate.system,
                candidate.external_id,
                candidate.value,
                candidate.changed_at.isoformat(timespec="seconds") if candidate.changed_at else None,
                candidate.sentence,
            )
            for candidate in candidates
        ],
    )
