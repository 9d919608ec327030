"""Reads the CSV file of people a sandbox starts with; its header row names the vendor's fields."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path


def read_people(people_csv: Path) -> Iterator[Mapping[str, str]]:
    """Yield one row a person; the file is UTF-8, comma separated. Raises ValueError when it has no header."""
    with people_csv.open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.DictReader(stream)
        if not rows.fieldnames:
            raise ValueError(f"{people_csv} has no header row.")
        yield from rows
