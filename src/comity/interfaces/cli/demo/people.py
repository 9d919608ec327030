"""FEBRL 4: 5,000 people and 5,000 corrupted copies of them, spread over the CRMs.

The two records of a person lie in different CRMs, and every CRM holds originals and copies. Which record belongs to
whom (the truth) follows from `rec_id`, which no CRM is given; neither is `soc_sec_id`.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from hashlib import blake2b
from itertools import permutations
from pathlib import Path

import msgspec

from comity.interfaces.cli.demo.cast import CRMS, Crm

NO_NAME = "[not provided]"
"""What Salesforce users type where a last name is required and nobody knows it."""


class PersonRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the data set."""

    number: int
    is_original: bool
    given_name: str
    family_name: str
    street: str
    locality: str
    city: str
    postcode: str
    state: str
    birth_date: str
    """ISO 8601, or empty where the data set has none or an impossible one."""


class CrmRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A person's record in a CRM; `number` is the truth: records with the same number are the same person."""

    crm: Crm
    external_id: str
    number: int
    is_original: bool
    fields: dict[str, str]


def read_people(*, originals: Path, duplicates: Path) -> list[PersonRow]:
    """Read both files of the data set."""
    return [*_read(originals, is_original=True), *_read(duplicates, is_original=False)]


def spread(people: Iterable[PersonRow], crms: Sequence[Crm] = CRMS) -> list[CrmRecord]:
    """Give every line a record in a CRM; the same data always lie in the same places.

    Records stand in each CRM in an order that says nothing about who belongs together.
    """
    places = list(permutations(crms, 2))
    by_crm: dict[str, list[PersonRow]] = {crm.system: [] for crm in crms}
    for person in people:
        original, duplicate = places[_draw("place", person.number) % len(places)]
        crm = original if person.is_original else duplicate
        by_crm[crm.system].append(person)
    records: list[CrmRecord] = []
    for crm in crms:
        mixed = sorted(by_crm[crm.system], key=lambda row: _draw("order", row.number, row.is_original))
        for position, person in enumerate(mixed, start=1):
            external_id = _build_id(crm, position)
            records.append(
                CrmRecord(
                    crm=crm,
                    external_id=external_id,
                    number=person.number,
                    is_original=person.is_original,
                    fields=_to_fields(crm, external_id, person),
                )
            )
    return records


def write_people(path: Path, records: Sequence[CrmRecord]) -> None:
    """Write the CSV file that a simulated CRM starts with."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(records[0].fields))
        writer.writeheader()
        writer.writerows(record.fields for record in records)


def _read(path: Path, *, is_original: bool) -> Iterator[PersonRow]:
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream, skipinitialspace=True):
            cells = {name.strip(): (value or "").strip() for name, value in row.items()}
            yield PersonRow(
                number=int(cells["rec_id"].split("-")[1]),
                is_original=is_original,
                given_name=cells["given_name"],
                family_name=cells["surname"],
                street=" ".join(part for part in (cells["street_number"], cells["address_1"]) if part),
                locality=cells["address_2"],
                city=cells["suburb"],
                postcode=cells["postcode"],
                state=cells["state"],
                birth_date=_to_iso(cells["date_of_birth"]),
            )


def _to_iso(text: str) -> str:
    try:
        return datetime.strptime(text, "%Y%m%d").date().isoformat()  # noqa: DTZ007 - a day has no time zone.
    except ValueError:
        return ""


def _to_fields(crm: Crm, external_id: str, person: PersonRow) -> dict[str, str]:
    is_salesforce = crm.kind == "salesforce"
    names = crm.fields
    lines = [line for line in (person.street, person.locality) if line]
    return {
        "Id" if is_salesforce else "id": external_id,
        names["given_name"]: person.given_name,
        names["family_name"]: person.family_name or (NO_NAME if is_salesforce else ""),
        names["address"]: crm.line_break.join(lines),
        names["city"]: person.city,
        names["postcode"]: person.postcode,
        names["state"]: person.state,
        names["birth_date"]: person.birth_date,
    }


def _build_id(crm: Crm, position: int) -> str:
    """Return an id in the vendor's form; the checksum of a Salesforce id without capitals is AAA."""
    return f"003{crm.seed}{position:011d}AAA" if crm.kind == "salesforce" else str(5_000_000_000 + position)


def _draw(*what: object) -> int:
    """Return a number that is spread evenly and always the same."""
    return int.from_bytes(blake2b(repr(what).encode(), digest_size=8).digest())
