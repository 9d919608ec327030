"""What a benchmark prints: name, value, unit, limit, ratio."""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec
from rich.console import Console
from rich.table import Table


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One figure. `limit` was measured in the same run; `ratio` is value through limit, taken in each turn."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    ratio: float | None = None
    value_range: tuple[float, float] | None = None
    limit_name: str | None = None
    limit_range: tuple[float, float] | None = None
    ratio_range: tuple[float, float] | None = None
    wanted: str | None = None
    is_met: bool | None = None


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a figure should reach."""

    value_min: float | None = None
    value_max: float | None = None
    ratio_min: float | None = None
    ratio_max: float | None = None

    def __str__(self) -> str:
        """Return it as people read it."""
        said = [
            (self.value_min, "at least {}"),
            (self.value_max, "at most {}"),
            (self.ratio_min, "at least {}x"),
            (self.ratio_max, "at most {}x"),
        ]
        return ", ".join(text.format(_number(bound)) for bound, text in said if bound is not None)

    def is_met(self, *, value: float, ratio: float | None) -> bool:
        """True when value and ratio are within the bounds."""
        checks = [
            self.value_min is None or value >= self.value_min,
            self.value_max is None or value <= self.value_max,
            self.ratio_min is None or (ratio is not None and ratio >= self.ratio_min),
            self.ratio_max is None or (ratio is not None and ratio <= self.ratio_max),
        ]
        return all(checks)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How a benchmark was called."""

    is_quick: bool
    is_json: bool


def read_options(title: str) -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("--quick", action="store_true", help="a short run, for a first impression")
    parser.add_argument("--json", action="store_true", help="print JSON for machines")
    given = parser.parse_args()
    return Options(is_quick=given.quick, is_json=given.json)


def take_turns(steps: Mapping[str, Callable[[], float]], *, repeats: int) -> dict[str, list[float]]:
    """Run every step once a turn, each turn starting with another one, and return the figures by step."""
    names = list(steps)
    figures: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(repeats):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            figures[name].append(steps[name]())
            say(f"  {turn + 1}/{repeats}  {name}: {_number(figures[name][-1])}")
    return figures


def compare(
    name: str,
    values: Sequence[float],
    *,
    unit: str,
    limits: Sequence[float] = (),
    limit_name: str | None = None,
    wanted: Wanted | None = None,
) -> Row:
    """Return the row of a figure, with medians; limits come from the same turns as the values."""
    value = statistics.median(values)
    ratios = [each / limit for each, limit in zip(values, limits, strict=True)] if limits else []
    ratio = statistics.median(ratios) if ratios else None
    return Row(
        name=name,
        value=value,
        unit=unit,
        limit=statistics.median(limits) if limits else None,
        ratio=ratio,
        value_range=(min(values), max(values)) if len(values) > 1 else None,
        limit_name=limit_name,
        limit_range=(min(limits), max(limits)) if len(limits) > 1 else None,
        ratio_range=(min(ratios), max(ratios)) if len(ratios) > 1 else None,
        wanted=str(wanted) if wanted else None,
        is_met=wanted.is_met(value=value, ratio=ratio) if wanted else None,
    )


def say(text: str) -> None:
    """Tell how it goes, apart from the result."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def show(title: str, rows: Sequence[Row], *, options: Options, notes: Sequence[str] = ()) -> None:
    """Print the rows: a table for people, JSON for machines."""
    machine = {"cpus": os.cpu_count(), "load_average": [round(each, 2) for each in os.getloadavg()]}
    if options.is_json:
        document = {
            "benchmark": title,
            "finished_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "machine": machine,
            "rows": rows,
            "notes": list(notes),
        }
        print(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())
        return
    console = Console(width=None if sys.stdout.isatty() else 180)
    table = Table(title=title, title_justify="left", header_style="bold")
    for heading in ("name", "value", "unit", "limit", "ratio", "wanted", ""):
        table.add_column(heading, justify="right" if heading in {"value", "limit", "ratio"} else "left")
    for row in rows:
        table.add_row(*_cells(row))
    console.print(table)
    console.print(f"{machine['cpus']} CPUs, load average {machine['load_average']}", style="dim", highlight=False)
    for note in notes:
        console.print(note, style="dim", highlight=False)


def _cells(row: Row) -> list[str]:
    limit = "" if row.limit is None else _ranged(row.limit, row.limit_range)
    verdict = {None: "", True: "[green]met[/]", False: "[red]missed[/]"}[row.is_met]
    return [
        row.name,
        _ranged(row.value, row.value_range),
        row.unit,
        f"{limit}\n[dim]{row.limit_name}[/]" if row.limit_name else limit,
        "" if row.ratio is None else _ranged(row.ratio, row.ratio_range),
        row.wanted or "",
        verdict,
    ]


def _ranged(value: float, bounds: tuple[float, float] | None) -> str:
    if bounds is None:
        return _number(value)
    return f"{_number(value)}\n[dim]{_number(bounds[0])} - {_number(bounds[1])}[/]"


def _number(value: float) -> str:
    if value == int(value) and abs(value) < 1_000_000_000_000:
        return f"{int(value):,}"
    size = abs(value)
    return f"{value:,.0f}" if size >= 1000 else f"{value:.1f}" if size >= 100 else f"{value:.2f}"
