"""Statements as CSV."""

import csv
import io
from collections.abc import Sequence
from datetime import datetime

import msgspec

from comity.ledger.types import StatementLine

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def to_csv(lines: Sequence[StatementLine]) -> str:
    r"""Return lines as CSV with a heading; text that a spreadsheet would take for a formula gets a quote before it.

    >>> to_csv([]).split(",")[:2]
    ['transfer_id', 'amount']
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(StatementLine.__struct_fields__)
    writer.writerows([[_to_cell(each) for each in msgspec.structs.astuple(line)] for line in lines])
    return text.getvalue()


def _to_cell(value: object) -> object:
    if isinstance(value, datetime):
        return msgspec.to_builtins(value)
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value
