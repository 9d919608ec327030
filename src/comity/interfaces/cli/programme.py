"""Commands on programmes: try a version before it is applied, say why a purchase earned what it earned."""

import os
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from comity import wiring
from comity.activity import api as activity
from comity.definitions import api as definitions
from comity.definitions.types import DefinitionsInvalid, Document, Kind, Plan, ProgrammeSpec
from comity.interfaces.cli.days import to_day
from comity.interfaces.cli.opening import DataDir, read_hub
from comity.interfaces.cli.output import FileUnusable, Json, errors, print_json, print_table, say, translates_errors
from comity.interfaces.cli.simulation import show_explanation, show_simulation
from comity.interfaces.shared.money import tell_money
from comity.interfaces.shared.programmes import require_programme
from comity.interfaces.shared.projects import check_documents
from comity.kernel.database import Tx
from comity.kernel.errors import Invalid, NotFound
from comity.programme import api as programme
from comity.programme.api import History, Simulation, Trial

programmes = typer.Typer(help="Programmes: try a version, explain a purchase, see budgets.", no_args_is_help=True)

PURCHASE_FORMS = "the number of the receipt, a purchase_id, system/external-id, or system/stream/external-id"
PROCESSES_MAX = 16
PROCESSES_FROM = 40_000
"""Starting processes takes a second or two, in which one goes through about this many purchases."""

PLANNED_MAX = 50_000
"""So many purchases, about, a plan goes through at most; of more a sample of the members."""


class ProgrammeMissing(NotFound):
    """There is no document of that programme; `comity validate` shows the documents there are."""


class PurchaseMissing(NotFound):
    """There is no such purchase."""


class PurchaseAmbiguous(Invalid):
    """Several purchases were reported under this id."""


ID_DIGITS = 19
"""Purchase ids have fewer digits."""


@programmes.command("simulate")
@translates_errors
def simulate(
    path: Annotated[
        Path, typer.Argument(help="The proposed version: a file with programmes, or a project directory.")
    ] = Path(),
    *,
    name: Annotated[
        str | None, typer.Option("--programme", help="This programme alone; else all in the file, all that changed.")
    ] = None,
    on: Annotated[str | None, typer.Option("--on", help="As of the end of this day; today by default.")] = None,
    sample_of: Annotated[
        int, typer.Option("--sample-of", min=1, help="One of so many members alone, always the same ones.")
    ] = 1,
    top: Annotated[int, typer.Option("--top", min=0, max=1_000, help="So many winners and losers by name.")] = 10,
    processes: Annotated[
        int | None, typer.Option("--processes", min=1, max=PROCESSES_MAX, help="One a processor by default.")
    ] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Run a proposed version over all stored purchases beside the one in force; changes nothing."""
    day = to_day(on)
    with read_hub(data_dir=data_dir) as hub:
        with hub.database.transaction() as tx:
            documents = _read_proposed(tx, path)
            current = definitions.get_definitions(tx).programmes
        chosen = _choose(documents, current, name=name, takes_same=path.is_file())
        found: list[Simulation] = []
        for document in chosen:
            trial = _make_trial(document, current, on=day, now=hub.clock.now(), top=top)
            history = _make_history(trial, sample_of=sample_of)
            with hub.database.transaction() as tx:
                count = programme.count_history(tx, history=history)
            wanted = processes or min(os.cpu_count() or 1, PROCESSES_MAX)
            with _showing_progress(document.name, count, is_quiet=json) as told:
                if wanted > 1 and count >= PROCESSES_FROM:
                    found.append(
                        programme.simulate_on_processes(
                            hub.database, trial=trial, history=history, processes=wanted, told=told
                        )
                    )
                else:
                    with hub.database.transaction() as tx:
                        found.append(programme.simulate(tx, trial=trial, history=history, told=told))
    if json:
        print_json({"simulations": found})
        return
    if not found:
        say("No programme differs from what is in force.")
    for each in found:
        show_simulation(each)


def find_effects(hub: wiring.Hub, plan: Plan) -> list[Simulation]:
    """Return what the programmes of a plan would change, by a sample where there is much history."""
    touched = {(item.kind, item.name) for item in (*plan.added, *plan.changed) if item.kind is Kind.PROGRAMME}
    found: list[Simulation] = []
    if not touched:
        return found
    with hub.database.transaction() as tx:
        current = definitions.get_definitions(tx).programmes
        for document in plan.documents:
            if document.key not in touched:
                continue
            trial = _make_trial(document, current, on=None, now=hub.clock.now(), top=0)
            count = programme.count_history(tx, history=_make_history(trial))
            if count:
                history = _make_history(trial, sample_of=-(-count // PLANNED_MAX))
                found.append(programme.simulate(tx, trial=trial, history=history))
    return found


def _read_proposed(tx: Tx, path: Path) -> Sequence[Document]:
    """Return the programmes proposed, checked among the documents they would live with."""
    if path.is_file():
        loaded = definitions.load_text(path.read_text(encoding="utf-8"), file=str(path))
        keys = {document.key for document in loaded.documents}
        others = [document for document in definitions.list_current(tx) if document.key not in keys]
        problems = loaded.problems + definitions.check_project(
            [*loaded.documents, *others],
            checkers=wiring.CHECKERS,
            broken=loaded.broken,
            partials=loaded.partials,
        )
        if problems:
            raise DefinitionsInvalid(problems)
        documents = loaded.documents
    elif path.is_dir():
        documents = check_documents(definitions.read_project(path))
    else:
        raise FileUnusable(f"{path} is neither a file nor a directory.")
    return [document for document in documents if document.kind is Kind.PROGRAMME]


def _choose(
    documents: Sequence[Document], current: dict[str, ProgrammeSpec], *, name: str | None, takes_same: bool
) -> list[Document]:
    if name is not None:
        chosen = [document for document in documents if document.name == name]
        if not chosen:
            raise ProgrammeMissing(details={"programme": name, "found": sorted(each.name for each in documents)})
        return chosen
    if takes_same and not documents:
        raise ProgrammeMissing("The file holds no programme.")
    return [each for each in documents if takes_same or current.get(each.name) != each.spec]


def _make_trial(
    document: Document, current: dict[str, ProgrammeSpec], *, on: date | None, now: datetime, top: int
) -> Trial:
    spec = document.spec
    if not isinstance(spec, ProgrammeSpec):
        raise ProgrammeMissing(details={"programme": document.name})
    return Trial(
        programme=document.name,
        running=current.get(document.name),
        proposed=spec,
        on=on or now.astimezone(ZoneInfo(spec.timezone)).date(),
        top_count=top,
    )


def _make_history(trial: Trial, *, sample_of: int = 1) -> History:
    return History(programme=trial.programme, until=trial.until, sample_of=sample_of)


@contextmanager
def _showing_progress(name: str, count: int, *, is_quiet: bool) -> Generator[Callable[[int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True, disable=is_quiet or not errors.is_terminal) as progress:
        task = progress.add_task(f"{name}: purchases", total=count)
        yield lambda done: progress.advance(task, done)


@programmes.command("explain")
@translates_errors
def explain(
    purchase: Annotated[str, typer.Argument(help=f"{PURCHASE_FORMS[0].upper()}{PURCHASE_FORMS[1:]}.")],
    *,
    name: Annotated[str | None, typer.Option("--programme", help="In this programme alone.")] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Say why a purchase earned what it earned: which rule gave what, caps, stacking and rounding."""
    with read_hub(data_dir=data_dir) as hub, hub.database.transaction() as tx:
        purchase_id = _find_purchase(tx, purchase)
        found = programme.explain_purchase(tx, purchase_id=purchase_id, now=hub.clock.now(), programme=name)
    if json:
        print_json({"purchase_id": purchase_id, "earnings": found})
        return
    if not found:
        say(f"Purchase {purchase_id} was not looked at by a programme: nobody known made it, or no member.")
    for each in found:
        show_explanation(each)


@programmes.command("budgets")
@translates_errors
def budgets(
    *,
    name: Annotated[str | None, typer.Option("--programme", help="Of this programme alone.")] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Show what has been drawn on the budgets of promotions in the period of today, and what is left."""
    with read_hub(data_dir=data_dir) as hub, hub.database.transaction() as tx:
        runtime = hub.runtimes.get(tx)
        chosen = runtime.programmes if name is None else [require_programme(runtime, name)]
        found = [
            each for defined in chosen for each in programme.list_budgets(tx, programme=defined, now=hub.clock.now())
        ]
    currencies = {defined.name: defined.spec.currency for defined in chosen}
    if json:
        print_json({"budgets": found})
        return
    if not found:
        say("No programme has a budget.")
        return
    rows = [
        (
            each.programme,
            each.budget,
            each.period or "ever",
            each.points_used,
            each.points_max,
            _tell_money(each.money_used_minor, currencies[each.programme]),
            _tell_money(each.money_max_minor, currencies[each.programme]),
            f"{each.used_percent} %{', used up' if each.is_spent else ', nearly used up' if each.is_low else ''}",
        )
        for each in found
    ]
    headings = ("programme", "budget", "period", "points drawn", "of", "money drawn", "of", "used")
    print_table("", headings, rows, numbers=(3, 4, 5, 6))


def _tell_money(amount_minor: int | None, currency: str) -> str | None:
    return None if amount_minor is None else tell_money(amount_minor, currency)


def _find_purchase(tx: Tx, key: str) -> int:
    """Return the purchase a key stands for. Raises PurchaseMissing, PurchaseAmbiguous."""
    key = key.strip()
    parts = key.split("/", 2)
    facts = activity.find_facts(tx, business_keys=[key], system="", stream="")
    found = [each.purchase_id for each in facts.values()]
    if not found and len(parts) == 1 and key.isascii() and key.isdigit() and len(key) < ID_DIGITS:
        found = [int(key)]
    elif not found and len(parts) > 1:
        found = activity.find_purchases(
            tx, system=parts[0], stream=parts[1] if len(parts) > 2 else None, external_id=parts[-1]
        )
        if not found and len(parts) > 2:  # The id itself may hold a slash.
            found = activity.find_purchases(tx, system=parts[0], external_id=key.split("/", 1)[1])
    if len(found) > 1:
        raise PurchaseAmbiguous(details={"purchase_ids": found, "remedy": "Give system/stream/external-id."})
    if not found:
        raise PurchaseMissing(f"There is no purchase {key!r}.", details={"remedy": f"Give {PURCHASE_FORMS}."})
    return found[0]
