"""How the story is told: chapters, plain sentences, bars where people watch, a table at the end."""

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from comity.interfaces.cli.demo.claims import Claim

Advance = Callable[[float, float, str], None]
"""Takes how much is done, of how much, and a word on it."""


class Screen:
    """Tells, and keeps the claims that were made."""

    def __init__(self, console: Console) -> None:
        """Start the clock of the story."""
        self.claims: list[Claim] = []
        self.figures: dict[str, float] = {}
        self._console = console
        self._began = time.monotonic()
        self._chapter = 0

    @property
    def elapsed_seconds(self) -> float:
        """Seconds since the story began."""
        return time.monotonic() - self._began

    def open_chapter(self, title: str) -> None:
        """Begin a chapter."""
        self._chapter += 1
        self._console.print(
            f"\n[bold cyan]{self._chapter}  {escape(title)}[/] [dim]{self.elapsed_seconds:4.0f} s[/]", highlight=False
        )

    def say(self, text: str) -> None:
        """Say a sentence."""
        self._console.print(f"   {escape(text)}", highlight=False)

    def show_rows(self, headings: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[int] = ()) -> None:
        """Show a small table."""
        table = Table(box=None, header_style="dim", padding=(0, 2, 0, 3))
        for index, heading in enumerate(headings):
            table.add_column(heading, justify="right" if index in numbers else "left", overflow="fold")
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
        self._console.print(table)

    def show_commands(self, commands: Sequence[tuple[str, str]]) -> None:
        """Show commands to copy: none is broken into lines."""
        for name, command in commands:
            self._console.print(f"   [dim]{escape(name):<16}[/] {escape(command)}", highlight=False, soft_wrap=True)

    def claim(self, name: str, figure: str, *, needed: str, is_ok: bool, detail: str = "") -> None:
        """Make a claim; a failed one is kept, and the story goes on."""
        self.claims.append(Claim(name=name, figure=figure, needed=needed, is_ok=is_ok))
        sign = "[green]✓[/]" if is_ok else "[bold red]✗[/]"
        wish = "" if is_ok else f" [red](needed: {escape(needed)})[/]"
        more = f" [dim]({escape(detail)})[/]" if detail else ""
        self._console.print(f" {sign} {escape(name)}: [bold]{escape(figure)}[/]{more}{wish}", highlight=False)

    @contextmanager
    def show_progress(self, label: str) -> Generator[Advance]:
        """Show a bar while something runs; without a terminal there is none."""
        if not self._console.is_terminal:
            yield _stay_silent
            return
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[word]}"))
        with Progress(*columns, TimeElapsedColumn(), console=self._console, transient=True) as progress:
            task = progress.add_task(label, total=None, word="")

            def advance(done: float, total: float, word: str) -> None:
                progress.update(task, completed=done, total=total or None, word=word)

            yield advance

    def sum_up(self) -> None:
        """Show every claim with its figure."""
        table = Table(title=f"What was shown, in {self.elapsed_seconds:.0f} s", title_justify="left", box=SIMPLE_HEAD)
        table.add_column("")
        table.add_column("claim", no_wrap=True)
        table.add_column("measured", justify="right")
        table.add_column("needed", justify="right", style="dim")
        for claim in self.claims:
            sign = "[green]✓[/]" if claim.is_ok else "[bold red]✗[/]"
            table.add_row(sign, escape(claim.name), escape(claim.figure), escape(claim.needed))
        self._console.print()
        self._console.print(table, highlight=False)

    def fail(self, text: str) -> None:
        """Say why the story ends here."""
        self._console.print(f"\n[bold red]{escape(text)}[/]", highlight=False, soft_wrap=True)


def _stay_silent(done: float, total: float, word: str) -> None:
    del done, total, word
