"""`comity demo`."""

import shlex
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from comity.interfaces.cli.demo import chapters_data, chapters_live, datasets
from comity.interfaces.cli.demo.cast import HUBSPOT, NORTH
from comity.interfaces.cli.demo.claims import Result
from comity.interfaces.cli.demo.people import CrmRecord, read_people, spread
from comity.interfaces.cli.demo.purchases import Order, assign, last_day_of, read_orders
from comity.interfaces.cli.demo.screen import Screen
from comity.interfaces.cli.demo.stage import Stage, make_fresh, open_stage, remove_stage
from comity.interfaces.cli.demo.story import Story
from comity.interfaces.cli.output import Json, print_json, translates_errors
from comity.kernel.clock import SystemClock
from comity.kernel.errors import ComityError
from comity.kernel.telemetry import configure

DATA_DIR = Path("var/demo")
QUICK_SHARE = 5
CUSTOMERS = 23_570
LOG_WIDTH = 120

CHAPTERS = (
    chapters_data.bring_two_together,
    chapters_data.earn_points,
    chapters_data.join_third,
    chapters_data.hold_against_truth,
    chapters_data.write_everywhere,
    chapters_live.move_house,
    chapters_live.settle_conflict,
    chapters_live.reach_gold,
    chapters_live.stay_silent,
)


@translates_errors
def demo(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="End after the story; fail when a claim does not hold.")
    ] = False,
    port: Annotated[int | None, typer.Option(help="Port of the hub; 8080, or a free one when that is taken.")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where everything lies; an earlier demo there is removed. var/demo by default.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A fifth of the people and of the customers.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="With --check: leave the data folder for a look.")] = False,
    json: Json = False,
) -> None:
    """Show the main job on public data: three simulated CRMs, a shop, an ERP and the hub; stays up until Ctrl-C."""
    configure(level="error")
    _end_on_signals()
    screen = Screen(_make_console(is_error=json))
    is_temporary = check and data_dir is None
    wished = data_dir or (Path(tempfile.mkdtemp(prefix="comity-demo-")) if check else DATA_DIR)
    folder = make_fresh(wished)
    failure: str | None = None
    try:
        failure = _play(screen, folder=folder, port=port, share=QUICK_SHARE if quick else 1, stays_up=not check)
    except KeyboardInterrupt:
        failure = "It was interrupted."
        screen.fail(failure)
    except ComityError as error:
        failure = error.message
        screen.fail(f"{failure}\n{_list_details(error.details)}")
    is_ok = failure is None and all(claim.is_ok for claim in screen.claims)
    if is_temporary and is_ok and not keep:
        remove_stage(folder)
    elif check:
        screen.say(f"Left for a look: {folder}")
    if json:
        print_json(
            Result(
                is_ok=is_ok,
                seconds=round(screen.elapsed_seconds, 1),
                claims=screen.claims,
                figures=screen.figures,
                failure=failure,
            )
        )
    if not is_ok:
        raise typer.Exit(1)


def _play(screen: Screen, *, folder: Path, port: int | None, share: int, stays_up: bool) -> str | None:
    """Tell the story; return why it could not be told to its end, if it could not."""
    records, orders = _read_data(share)
    screen.say(
        f"{len(records):,} records of FEBRL 4 in three simulated CRMs, {len(orders):,} orders of CDNOW in a shop. "
        "Starting database, CRMs and hub ..."
    )
    with open_stage(data_dir=folder, records=records, port=port) as stage:
        story = Story(stage=stage, screen=screen, records=records, sales=assign(orders, records))
        try:
            for chapter in CHAPTERS:
                chapter(story)
        except ComityError as error:
            screen.fail(f"{error.message}\n{_list_details({**stage.hub.child.read_tail(), **error.details})}")
            screen.sum_up()
            return error.message
        screen.sum_up()
        if stays_up:
            _show_around(screen, stage, story)
            with suppress(KeyboardInterrupt):
                threading.Event().wait()
            screen.say("Ending everything ...")
    return None


def _list_details(details: Mapping[str, object]) -> str:
    return "\n".join(f"  {name}: {value}" for name, value in details.items())


def _make_console(*, is_error: bool) -> Console:
    """Return the console; where nobody watches, lines are wide enough for a log."""
    console = Console(stderr=is_error)
    return console if console.is_terminal else Console(stderr=is_error, width=LOG_WIDTH)


def _read_data(share: int) -> tuple[list[CrmRecord], list[Order]]:
    """Return records and orders; of several shares only the first."""
    people = read_people(
        originals=datasets.find_dataset(datasets.FEBRL_ORIGINALS),
        duplicates=datasets.find_dataset(datasets.FEBRL_DUPLICATES),
    )
    orders = read_orders(
        datasets.find_dataset(datasets.CDNOW),
        last_day=last_day_of(SystemClock().now()),
        customers_max=None if share == 1 else CUSTOMERS // share,
    )
    return spread(person for person in people if person.number % share == 0), orders


def _show_around(screen: Screen, stage: Stage, story: Story) -> None:
    person = story.people[1]
    comity, place = _name_command(), shlex.quote(_shorten(stage.data_dir))
    record = f"{NORTH.system}/{NORTH.stream}/{person.records[NORTH.system]}"
    screen.say("")
    screen.say("It stays up until Ctrl-C. Look around, in another terminal:")
    screen.show_commands(
        [
            ("status page", stage.hub.url),
            ("a person", f"{comity} profile show {record} --data-dir {place}"),
            ("a decision", f"{comity} why {person.global_id} family_name --data-dir {place}"),
            ("the hub", f"{comity} status --data-dir {place}"),
            ("the project", _shorten(stage.project_dir)),
            (f"edit in {HUBSPOT.title}", stage.crm(HUBSPOT).show_edit(person.records[HUBSPOT.system])),
        ],
    )


def _name_command() -> str:
    """Return what to type for the command line: its name where that is enough, its path otherwise."""
    beside = Path(sys.executable).parent / "comity"
    return "comity" if shutil.which("comity") or not beside.exists() else shlex.quote(_shorten(beside))


def _shorten(path: Path) -> str:
    """Return a path as seen from here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _end_on_signals() -> None:
    """Let SIGTERM end the demo as Ctrl-C does; a second signal does not disturb the cleaning up."""

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
