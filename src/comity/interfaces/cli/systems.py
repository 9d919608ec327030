"""Commands on systems: check one, create its fields, have it push (without a database); pause and resume it."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated

import msgspec
import typer
from rich.markup import escape

from comity import wiring
from comity.connect.types import CallFailed, Connector, ConnectorSpec, FieldWanted, SettingsInvalid
from comity.definitions.types import Definitions, SystemSpec
from comity.interfaces.cli.opening import DataDir, Project, get_settings, open_hub
from comity.interfaces.cli.output import Json, confirm, print_json, print_table, say, translates_errors
from comity.interfaces.cli.project import load_project
from comity.kernel.clock import SystemClock
from comity.kernel.egress import Egress
from comity.kernel.errors import Invalid, Refused
from comity.kernel.telemetry import configure
from comity.settings import Settings
from comity.sync import api as sync
from comity.sync.types import FieldOutcome, Finding
from comity.systems import api as states
from comity.systems.types import SystemUnknown

systems = typer.Typer(help="Connected systems: check them, prepare them for the hub, pause them.", no_args_is_help=True)

NOT_ALL_RIGHT = 1
"""Exit code of a command that worked, and found or left something that is not all right."""

Name = Annotated[str, typer.Argument(help="The system, as the project names it.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; with --json nothing is done without it.")]


class CapabilityMissing(Refused):
    """The connector of this system cannot do this."""


class NothingToPush(Invalid):
    """No stream of this system is set up to be pushed."""


class CheckView(msgspec.Struct, frozen=True, kw_only=True):
    """What was found about a system."""

    system: str
    connector: str
    is_ok: bool
    findings: list[Finding]


class Joining(msgspec.Struct, frozen=True, kw_only=True):
    """The project that a command works on."""

    settings: Settings
    runtime: sync.Runtime

    def find(self, name: str) -> tuple[SystemSpec, ConnectorSpec]:
        """Return a system and its connector. Raises SystemUnknown."""
        spec = self.runtime.systems.get(name)
        if spec is None:
            raise SystemUnknown(details={"system": name, "known": sorted(self.runtime.systems)})
        return spec, wiring.CONNECTORS[spec.connector]

    @contextmanager
    def open(self, name: str) -> Generator[Connector]:
        """Open a system. Raises SettingsInvalid; a call that fails tells where to look."""
        spec, _ = self.find(name)
        egress = Egress(ca_file=spec.settings.get("ca_file"), proxy=spec.settings.get("proxy"))
        try:
            yield wiring.build_connector(
                name,
                spec,
                clock=SystemClock(),
                base=self.settings.project_dir,
                secrets_dir=self.settings.secrets_dir,
                egress=egress,
            )
        except CallFailed as error:
            error.details.setdefault("remedy", f"`comity systems check {name}` says what is missing.")
            raise
        finally:
            egress.close()

    def url(self, name: str) -> str:
        """Return where a system calls the hub."""
        spec, _ = self.find(name)
        return str(spec.settings.get("public_url") or f"{self.settings.base_url}/hooks/{name}")


@systems.command("check")
@translates_errors
def check(
    names: Annotated[list[str] | None, typer.Argument(help="The systems; all of the project by default.")] = None,
    *,
    project: Project = None,
    json: Json = False,
) -> None:
    """Check access, fields, reading and webhooks of systems as the project has them; changes nothing anywhere."""
    joining = _read(project)
    found = [_check(joining, name) for name in names or sorted(joining.runtime.systems)]
    if json:
        print_json(found)
    else:
        rows = [
            (view.system, "missing" if each.remedy else "ok", each.area, each.what, each.remedy)
            for view in found
            for each in view.findings
        ]
        print_table("", ("system", "", "about", "what", "remedy"), rows)
    if not all(view.is_ok for view in found):
        raise typer.Exit(NOT_ALL_RIGHT)


@systems.command("provision")
@translates_errors
def provision(name: Name, *, project: Project = None, yes: Yes = False, json: Json = False) -> None:
    """Create the fields that the project's mappings write and the system lacks; shows them first, and asks."""
    joining = _read(project)
    _, connector_spec = joining.find(name)
    if not connector_spec.capabilities.can_provision:
        raise CapabilityMissing(
            f"The connector {connector_spec.name} cannot create fields.",
            details={"remedy": "Have them created in the system; the guide of the connector says which."},
        )
    with joining.open(name) as connector:
        planned = sync.plan_fields(connector, system=name, runtime=joining.runtime)
        if not json:
            _show_planned(name, planned)
        if planned and not (yes or json):
            confirm("Create these?", remedy=f"Look at them, then run `comity systems provision {name} --yes`.")
        made = sync.create_fields(connector, fields=planned) if yes or not json else []
    if json:
        print_json({"system": name, "planned": planned, "made": made})
    elif made:
        rows = [(each.stream, each.name, each.outcome, each.message, each.remedy) for each in made]
        print_table("", ("stream", "field", "outcome", "what", "remedy"), rows)
        if connector_spec.provision_note:
            say(connector_spec.provision_note)
    if any(each.outcome is not FieldOutcome.CREATED for each in made):
        raise typer.Exit(NOT_ALL_RIGHT)


@systems.command("subscribe")
@translates_errors
def subscribe(name: Name, *, project: Project = None, yes: Yes = False, json: Json = False) -> None:
    """Have the system push changes of the streams with `webhook: true`; shows what and where first, and asks."""
    joining = _read(project)
    _, connector_spec = joining.find(name)
    url = joining.url(name)
    if not connector_spec.capabilities.can_subscribe:
        raise CapabilityMissing(
            f"The connector {connector_spec.name} cannot ask its system to push.",
            details={"remedy": f"Have the system call {url}; the guide of the connector says how."},
        )
    fields = sync.plan_subscription(system=name, runtime=joining.runtime)
    if not fields:
        raise NothingToPush(details={"remedy": "Write `webhook: true` at a stream of the system that has a mapping."})
    if not json:
        say(f"{escape(name)} will call {escape(url)}")
        if joining.settings.public_url is None:
            say("COMITY_PUBLIC_URL is not set: this address may be good on this machine only.", style="yellow")
        rows = [(stream, ", ".join(names)) for stream, names in fields.items()]
        print_table("", ("stream", "changes of"), rows)
    if not (yes or json):
        confirm("Subscribe?", remedy=f"Look at it, then run `comity systems subscribe {name} --yes`.")
    done = None
    if yes or not json:
        with joining.open(name) as connector:
            done = connector.subscribe(url, fields=fields)
    if json:
        print_json({"system": name, "target_url": url, "fields": fields, "subscription": done})
    elif done:
        say(f"[green]{'Subscribed' if done.is_new else 'Was subscribed already'}:[/] {', '.join(done.event_kinds)}")


@systems.command("pause")
@translates_errors
def pause(name: Name, *, data_dir: DataDir = None, json: Json = False) -> None:
    """Neither read a system nor write into it until it is resumed; what it pushes is still taken in."""
    _set_paused(name, is_paused=True, data_dir=data_dir, json=json)
    if not json:
        say(f"{escape(name)} is paused: `comity systems resume {escape(name)}` lets it catch up.")


@systems.command("resume")
@translates_errors
def resume(name: Name, *, data_dir: DataDir = None, json: Json = False) -> None:
    """Let a paused system go on; it is brought up to date."""
    _set_paused(name, is_paused=False, data_dir=data_dir, json=json)
    if not json:
        say(f"{escape(name)} goes on.")


def _set_paused(name: str, *, is_paused: bool, data_dir: DataDir, json: bool) -> None:
    with open_hub(data_dir=data_dir) as hub:
        hub.database.run(lambda tx: states.set_paused(tx, system=name, is_paused=is_paused))
    if json:
        print_json({"system": name, "state": "paused" if is_paused else "running"})


def _read(project: Project) -> Joining:
    configure(level="warning")
    settings = get_settings(project=project)
    documents = load_project(settings.project_dir)
    return Joining(settings=settings, runtime=sync.compile_runtime(Definitions(revision=0, documents=documents)))


def _check(joining: Joining, name: str) -> CheckView:
    spec, connector_spec = joining.find(name)
    try:
        with joining.open(name) as connector:
            findings = sync.check_system(
                connector,
                capabilities=connector_spec.capabilities,
                system=name,
                runtime=joining.runtime,
                url=joining.url(name),
                now=SystemClock().now(),
            )
    except SettingsInvalid as error:
        remedy = error.details.get("remedy", "Correct `settings` and `secrets` of the system's document.")
        findings = [Finding(area="secrets", what=error.message, remedy=str(remedy))]
    is_ok = not any(each.remedy for each in findings)
    return CheckView(system=name, connector=spec.connector, is_ok=is_ok, findings=findings)


def _show_planned(name: str, planned: list[FieldWanted]) -> None:
    if not planned:
        say(f"{escape(name)} has every field that is written into it.")
        return
    rows = [(each.stream, each.name, each.label, each.type, each.is_unique) for each in planned]
    print_table("To be created", ("stream", "field", "label", "type", "unique"), rows)
