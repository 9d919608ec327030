"""Commands that run something: up, status, sandbox serve, bench."""

import importlib.util
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.markup import escape

from comity import wiring
from comity.interfaces.cli.opening import DataDir, Project, get_settings, read_hub
from comity.interfaces.cli.output import (
    Json,
    print_json,
    print_json_line,
    print_table,
    say,
    translates_errors,
    translates_errors_in_lines,
)
from comity.interfaces.cli.supervision import Supervisor, require_free
from comity.interfaces.shared.views import view_status
from comity.kernel.errors import Invalid, NotFound
from comity.kernel.telemetry import configure

PROCESSES = ("comity.interfaces.rest", "comity.interfaces.worker")
SIGNAL_SECONDS = 0.5
"""How often to look for a signal: one that another thread took does not end the wait of this one."""
UNGUARDED = (
    "The hub's database role could change what was posted in the ledger, by switching off its triggers: "
    "[bold]Two roles[/] in the guide Operations says how to give the ledger an owner (COMITY_DATABASE_OWNER_URL)."
)
SANDBOX_HOST = "127.0.0.1"

sandbox = typer.Typer(help="Simulated systems to rehearse on.", no_args_is_help=True)


@translates_errors_in_lines
def up(
    *,
    project: Project = None,
    data_dir: DataDir = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for all that happens.")] = False,
) -> None:
    """Run the hub: web and worker processes, restarted when they die, until SIGTERM or Ctrl-C."""
    settings = get_settings(project=project, data_dir=data_dir, host=host, port=port)
    configure(level=settings.log_level)
    environment = {
        **os.environ,
        "COMITY_DATA_DIR": str(settings.data_dir.resolve()),
        "COMITY_PROJECT_DIR": str(settings.project_dir.resolve()),
        "COMITY_HOST": settings.host,
        "COMITY_PORT": str(settings.port),
        # The schema is of this version before they start: they need the hub's role alone.
        "COMITY_DATABASE_OWNER_URL": "",
    }
    require_free(host=settings.host, port=settings.port)
    stopping = _stop_on_signal()
    with wiring.open_hub(settings, pool_size_max=2):
        tell = print_json_line if json else _stay_silent
        supervisor = Supervisor(modules=PROCESSES, environment=environment, tell=tell)
        try:
            if supervisor.wait_until_listening(host=settings.host, port=settings.port, stopping=stopping):
                ready = {"url": settings.base_url}
                print_json_line({"event": "ready", **ready, "api": f"{settings.base_url}/api"} if json else ready)
            supervisor.keep(stopping=stopping)
            tell({"event": "stopping"})
        finally:
            supervisor.stop()
    tell({"event": "stopped"})


def _stay_silent(_event: Mapping[str, object]) -> None:
    """Tell nobody; the log has it."""


def _stop_on_signal() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set."""
    stopping = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return stopping


@translates_errors
def status(*, data_dir: DataDir = None, json: Json = False) -> None:
    """Show how the hub is doing: systems, lag, counts."""
    with read_hub(data_dir=data_dir) as hub:
        view = view_status(hub)
    if json:
        print_json(view)
        return
    if not view.is_ready:
        say("No definitions are in force yet: [bold]comity apply[/] in the project directory.")
    if not view.is_ledger_guarded:
        say(UNGUARDED)
    say(
        f"{view.profile_count:,} {'person' if view.profile_count == 1 else 'people'}, "
        f"{view.member_count:,} {'member' if view.member_count == 1 else 'members'}, "
        f"{view.points_outstanding:,} points outstanding, trial balance {view.trial_balance}, "
        f"{view.waiting_count:,} changes waiting"
    )
    print_table(
        "",
        ("system", "connector", "state", "healthy", "read", "to deliver", "retrying", "parked", "last error"),
        [
            (
                s.system,
                s.connector,
                f"{s.state}, first read" if s.first_reads else s.state,
                s.is_healthy if s.is_reached or not s.is_healthy else "not reached yet",
                s.read_count,
                s.stale_count,
                s.retrying_count,
                s.parked_changes + s.parked_deliveries,
                s.last_error,
            )
            for s in view.systems
        ],
        numbers=(4, 5, 6, 7),
    )
    for s in view.systems:
        if s.held_count:
            say(f"{s.system}: {s.held_count:,} to be written at the next tick of a cadence")
    for s in view.systems:
        if s.hook_refused_at is not None:
            told = f"{s.system}: {s.hooks_refused_count:,} webhooks refused, the last at {s.hook_refused_at:%F %R}:"
            say(f"{escape(told)} {escape(s.hook_refusal or '')}", style="yellow")


class SandboxNotStarted(Invalid):
    """The sandbox did not start; the message has the cause."""


class KindUnknown(Invalid):
    """There is no simulated system of this kind; known are salesforce and hubspot."""


@sandbox.command("serve")
@translates_errors_in_lines
def serve(
    kind: Annotated[str, typer.Argument(help="salesforce or hubspot")],
    *,
    port: Annotated[int, typer.Option(help="0 takes a free port.")] = 0,
    tls: Annotated[bool, typer.Option("--tls", help="Serve https with a test certificate authority.")] = False,
    seed: Annotated[int, typer.Option(help="The same seed gives the same ids and token.")] = 1,
    people: Annotated[Path | None, typer.Option(help="CSV file; its header row names the vendor's fields.")] = None,
    bare: Annotated[
        bool, typer.Option("--bare", help="Without our fields: `comity systems provision` creates them.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print errors as JSON, too.")] = False,
) -> None:
    """Run a simulated system; prints one JSON line (url, token, ca_file) when it is ready."""
    del json  # It speaks JSON anyway.
    from comity.sandbox import api as simulated  # Half of the start of every other command, which do not need it.

    if kind not in {"salesforce", "hubspot"}:
        raise KindUnknown(details={"found": kind})
    stopping = _stop_on_signal()
    vendor: simulated.SandboxKind = "salesforce" if kind == "salesforce" else "hubspot"
    if port:
        require_free(host=SANDBOX_HOST, port=port)
    try:
        running = simulated.serve(
            kind=vendor,
            host=SANDBOX_HOST,
            port=port,
            tls=tls,
            seed=seed,
            people_csv=people,
            options=simulated.SandboxOptions(has_loyalty_fields=not bare),
        )
    except (OSError, ValueError) as error:
        raise SandboxNotStarted(f"The sandbox did not start: {error}") from error
    with running:
        print_json_line(running.ready)
        while not stopping.wait(SIGNAL_SECONDS):
            pass
    simulated.leave()


class BenchMissing(NotFound):
    """Benchmarks come with the source: run this in a checkout, after `make setup`."""


@translates_errors
def bench(
    name: Annotated[str, typer.Argument(help="intake, redeem, unify, ledger, bulk or simulate")],
    *,
    quick: Annotated[bool, typer.Option("--quick", help="A short run, for a first impression.")] = False,
    json: Json = False,
) -> None:
    """Measure a path against a limit taken in the same run; prints name, value, unit, limit, ratio."""
    if importlib.util.find_spec("bench") is None:
        sys.path.insert(0, str(Path.cwd()))
    if importlib.util.find_spec("bench") is None:
        raise BenchMissing
    known = ("intake", "redeem", "unify", "ledger", "bulk", "simulate")
    if name not in known:
        raise Invalid(f"There is no benchmark {name!r}; known are {', '.join(known)}.", code="bench_unknown")
    arguments = [sys.executable, "-m", f"bench.{name}", *(["--quick"] if quick else []), *(["--json"] if json else [])]
    raise typer.Exit(subprocess.call(arguments))  # noqa: S603 - our own module.
