"""Reading purchases and returns: amounts are in the currency of their own record, and no bad value is guessed at."""

from datetime import datetime
from typing import Any, Final

from comity.definitions.types import EVENTS
from comity.mapping.compiled import CompiledField, CompiledMapping
from comity.mapping.lenses.base import Rejection
from comity.mapping.lenses.numbers import NOT_CURRENCY, MoneyLens, is_currency
from comity.mapping.lines import read_lines
from comity.mapping.paths import Columns
from comity.mapping.problems import problem_of
from comity.mapping.types import ABSENT, MappedBatch, Problem, RecordKey

MISSING: Final = Rejection("missing", "a value", "Correct the record at the source, or the field of the mapping.")
"""Every purchase needs a business key, a time, an amount and a currency."""

NEEDED: Final = ("business_key", "occurred_at", "amount_minor", "currency")
TOLD: Final = ("cancelled", "returns", "channel", "store", "brand")
"""What may be missing: then nothing is said of it."""


def read_purchases(
    mapping: CompiledMapping,
    *,
    columns: Columns,
    records: list[RecordKey],
    positions: list[int],
    changed_at: list[datetime | None],
    problems: list[Problem],
) -> MappedBatch:
    """Read a batch of purchases; one that lacks a value, or holds a bad one, is a fatal problem."""
    fields = {field.attribute: field for field in mapping.fields}
    raw = {name: _raw(field, columns) for name, field in fields.items()}
    values = {name: fields[name].read_column(raw[name]) for name in ("business_key", "occurred_at", "person")}
    values["currency"] = [_currency(value) for value in fields["currency"].read_column(raw["currency"])]
    values["amount_minor"] = _amounts(fields["amount"], raw["amount"], values["currency"])
    raw["amount_minor"] = raw["amount"]
    bad_rows: set[int] = set()
    told = [name for name in fields if name in TOLD or name.startswith(EVENTS)]
    values |= {name: fields[name].read_column(raw[name]) for name in told}
    for name in (*NEEDED, *told):
        path = fields["amount" if name == "amount_minor" else name].path
        for row, value in enumerate(values[name]):
            if value.__class__ is Rejection or (name in NEEDED and (value is None or value is ABSENT)):
                rejection = value if isinstance(value, Rejection) else MISSING
                problems.append(
                    problem_of(rejection, position=positions[row], field=path, found=raw[name][row], is_fatal=True)
                )
                bad_rows.add(row)
    lines = read_lines(
        mapping,
        columns,
        currencies=values["currency"],
        positions=positions,
        bad_rows=bad_rows,
        problems=problems,
    )
    people = _people(mapping, values["person"])
    keep = [row for row in range(len(records)) if row not in bad_rows]
    return MappedBatch(
        kind=mapping.kind,
        records=[records[row] for row in keep],
        positions=[positions[row] for row in keep],
        columns={name: [values[name][row] for row in keep] for name in (*NEEDED, *told)}
        | {"person": [people[row] for row in keep]}
        | ({"lines": [lines[row] for row in keep]} if lines else {}),
        changed_at=[changed_at[row] for row in keep],
        problems=problems,
    )


def _raw(field: CompiledField, columns: Columns) -> list[Any]:
    at = field.columns
    return columns[at[0]] if len(at) == 1 else list(zip(*(columns[each] for each in at), strict=True))


def _currency(value: Any) -> Any:
    if value.__class__ is not str:
        return value
    code = value.strip().upper()
    return code if is_currency(code) else NOT_CURRENCY


def _amounts(field: CompiledField, raw: list[Any], currencies: list[Any]) -> list[Any]:
    lens = field.lens
    if not isinstance(lens, MoneyLens) or lens.has_currency:
        return field.read_column(raw)
    # Without a readable currency the amount means nothing; the row is dropped for its currency anyway.
    return [
        amount
        if amount is None or amount is ABSENT
        else lens.read_amount(amount, currency if currency.__class__ is str else "")
        for amount, currency in zip(raw, currencies, strict=True)
    ]


def _people(mapping: CompiledMapping, names: list[Any]) -> list[RecordKey | None]:
    purchase = mapping.spec.purchase_fields
    system = (purchase.person_system if purchase else None) or mapping.system
    stream = purchase.person_stream if purchase else mapping.stream
    return [RecordKey(system, stream, name) if name and name.__class__ is str else None for name in names]
