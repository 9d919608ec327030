"""How simulations and explanations are told to people."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from rich.markup import escape
from rich.tree import Tree

from comity.interfaces.cli.output import console, print_table, say
from comity.interfaces.shared.money import tell_money
from comity.programme.api import ExplainedEarning, Gain, Simulation, Step, tell_step

FIGURES = (
    ("points issued", "points_issued"),
    ("+ adjusted by hand", "points_adjusted"),
    ("- redeemed", "points_redeemed"),
    ("- expired", "points_expired"),
    ("= open, the liability", "points_open"),
    ("redeemed or taken, but not covered", "points_short"),
    ("purchases that earn", "earning_count"),
)
BESIDE = ("running", "proposed", "more", "change")
MINUTES = "%Y-%m-%d %H:%M"
MONTHS_SHOWN = 24


def show_simulation(found: Simulation) -> None:
    """Print the whole report."""
    say(f"[bold]{escape(found.programme)}[/], the proposed version beside the running one, as of the end of {found.on}")
    say(f"{_tell_reach(found)}")
    for note in found.notes:
        say(note, style="dim")
    kinds = [(f"Points: {each.kind}", each.running, each.proposed) for each in found.kinds]
    for heading, before, after in kinds or [("Points", found.running, found.proposed)]:
        rows = [(title, getattr(before, name), getattr(after, name)) for title, name in FIGURES]
        print_table(heading, ("", *BESIDE), [_beside(*row) for row in rows], numbers=(1, 2, 3, 4))
    ladders = list(dict.fromkeys(each.ladder for each in found.tiers))
    for ladder in ladders:
        _show_tiers(found, ladder, title=f" of {ladder}" if len(ladders) > 1 else "")
    for title, side in (("more", found.winners), ("less", found.losers)):
        say(f"{side.member_count:,} members are given {title}, {side.points:+,} points together.")
        if side.largest:
            print_table("", ("profile", "running", "proposed", "more"), _list_gains(side.largest), numbers=(1, 2, 3))
    if found.months:
        print_table(
            "Points issued by month",
            ("month", *BESIDE),
            [_beside(each.month, each.running, each.proposed) for each in found.months[-MONTHS_SHOWN:]],
            numbers=(1, 2, 3, 4),
        )
        if len(found.months) > MONTHS_SHOWN:
            say(f"{len(found.months) - MONTHS_SHOWN} months before these: see --json.", style="dim")


def _show_tiers(found: Simulation, ladder: str, *, title: str) -> None:
    print_table(
        f"Members by tier{title}",
        ("tier", *BESIDE),
        [_beside(each.tier or "none", each.running, each.proposed) for each in found.tiers if each.ladder == ladder],
        numbers=(1, 2, 3, 4),
    )
    moves = [each for each in found.tier_moves if each.ladder == ladder]
    if moves:
        print_table(
            f"Tier moves{title}",
            ("running", "proposed", "members"),
            [(each.running or "none", each.proposed or "none", each.member_count) for each in moves],
            numbers=(2,),
        )


def show_effects(found: Sequence[Simulation]) -> None:
    """Print in short what programmes of a plan would change."""
    for each in found:
        say(f"[bold]{escape(each.programme)}[/] over the stored purchases, as a simulation ({_tell_reach(each)})")
        kinds = [(f" of {kind.kind}", kind.running, kind.proposed) for kind in each.kinds]
        for of, before, after in kinds or [("", each.running, each.proposed)]:
            for title, name in (("points issued", "points_issued"), ("liability", "points_open")):
                _, running, proposed, more, share = _beside(title, getattr(before, name), getattr(after, name))
                say(f"  {title}{of}: {running:,} → {proposed:,} ({share or more})")
        moved: Counter[str] = Counter()
        for move in each.tier_moves:
            moved[move.ladder] += move.member_count
        for ladder, count in sorted(moved.items()) or [("", 0)]:
            of = f" of {escape(ladder)}" if len(moved) > 1 else ""
            say(f"  members at another tier{of}: {count:,}")
        say(f"  members who get more points: {each.winners.member_count:,}; less: {each.losers.member_count:,}")
    if found:
        say("  More: [bold]comity programme simulate[/]. Without: [bold]--no-simulation[/].", style="dim")


def show_explanation(found: ExplainedEarning) -> None:
    """Print what a purchase earned as a tree of steps."""
    further = "".join(f", {count:,} {kind}" for kind, count in (found.further_points or {}).items())
    say(
        f"[bold]{escape(found.programme)}[/]: {found.points:,} points{further} ({found.outcome}) "
        f"for profile {found.profile_id}"
    )
    by = f", by version {found.version}, in force since {found.in_force_since:{MINUTES}}" if found.version else ""
    say(f"decided {found.decided_at:{MINUTES}}{by}")
    if found.explanation is not None:
        tell = partial(tell_money, currency=found.currency)
        console.print(_to_tree(found.explanation, tell), highlight=False)
    if not found.is_exact:
        say("[yellow]Derived once more it comes to something else than what is booked:[/] something before it changed.")


def _to_tree(step: Step, tell: Callable[[int], str], tree: Tree | None = None) -> Tree:
    line = escape(tell_step(step, tell_money=tell))
    node = Tree(line) if tree is None else tree.add(line)
    for each in step.steps:
        _to_tree(each, tell, node)
    return node


def _tell_reach(found: Simulation) -> str:
    reach = f"{found.purchase_count:,} purchases of {found.member_count:,} members"
    return reach if found.sample_of == 1 else f"a sample, one of {found.sample_of:,} members: {reach}"


def _list_gains(gains: Sequence[Gain]) -> list[tuple[str, int, int, str]]:
    return [(str(each.profile_id), each.running, each.proposed, f"{each.points:+,}") for each in gains]


def _beside(title: str, running: int, proposed: int) -> tuple[str, int, int, str, str]:
    more = proposed - running
    return title, running, proposed, f"{more:+,}" if more else "", f"{more / running:+.1%}" if more and running else ""
