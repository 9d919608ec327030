"""A seeded population: people, and what three systems that know some of them say about each.

Names, addresses and numbers are made up. A record differs from its person the way records do: typing errors, case,
lost accents, national and international phone formats, another mailbox, an old address, empty fields. Six of a
hundred people share family name, address and phone with somebody, two of a hundred the mailbox as well.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

SYSTEMS = ("salesforce-emea", "salesforce-apac", "hubspot-us")
STREAMS = ("Contact", "Contact", "contacts")
RECORDS_BY_PERSON = (0.36, 0.36, 0.28)
"""Shares of people known to one, two and three systems: 1.92 records a person."""
HOUSEHOLD_EVERY = 33
MAILBOX_EVERY = 99
CHUNK = 20_000

GIVEN, FAMILY_STARTS, FAMILY_ENDS = (
    line.split() for line in Path(__file__).with_name("names.txt").read_text(encoding="utf-8").splitlines()[1:]
)
STREETS = (
    ("Hauptstraße", "Bahnhofstraße", "Gartenweg", "Lindenallee", "Mühlgasse", "High Street", "Station Road"),
    ("Mill Lane", "Church Street", "Rue de la Paix", "Avenue Foch", "Calle Mayor", "Plaza Nueva", "Elm Street"),
    ("Maple Avenue", "Ocean Drive", "George Street", "Collins Street", "Via Roma", "Quai Voltaire", "Am Markt"),
)
PLACES = (
    ("DE", "Berlin", "10{:03d}", "de"),
    ("DE", "Köln", "50{:03d}", "de"),
    ("FR", "Lyon", "69{:03d}", "fr"),
    ("ES", "Málaga", "29{:03d}", "es"),
    ("GB", "Leeds", "LS{:d} 2BB", "en"),
    ("US", "Austin", "78{:03d}", "en"),
    ("AU", "Perth", "6{:03d}", "en"),
)
MOBILE = {
    "DE": ("+49", "0", "15123"),
    "FR": ("+33", "0", "612"),
    "ES": ("+34", "", "612"),
    "GB": ("+44", "0", "7400"),
    "US": ("+1", "", "5125"),
    "AU": ("+61", "0", "412"),
}
"""Country code, trunk prefix, how the numbers of this population begin; six digits follow."""
MAIL_HOSTS = ("example.com", "example.org", "example.net", "mail.example.com", "post.example.org")
ACCENTS = str.maketrans("áéíóúüöäñôèëÁ", "aeiouuoanoeeA")
LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Facts(msgspec.Struct, kw_only=True, gc=False):
    """What one record says, in the spelling of its system; None is an empty field."""

    given_name: str
    family_name: str
    email: str | None
    phone: str | None
    birth_date: str | None
    street: str
    postcode: str
    city: str
    country: str
    language: str


class Record(msgspec.Struct, kw_only=True, gc=False):
    """One record of one system; `person` is the truth nobody is told."""

    number: int
    system: int
    external_id: str
    person: int
    facts: Facts


class Draw(msgspec.Struct, gc=False):
    """What chance gave a record: `own` is the person's, `shared` the household's, `dice` the record's."""

    number: int
    system: int
    person: int
    home: int
    mailbox: int
    own: list[int]
    shared: list[int]
    dice: list[int]


class Population:
    """People and their records, the same for the same seed. Records are made on demand, by number."""

    def __init__(self, *, records: int, seed: int = 20260303) -> None:
        """Draw who is in which system."""
        draw = np.random.default_rng(seed)
        people = int(records / 1.9) + 100
        counts = draw.choice((1, 2, 3), size=people, p=RECORDS_BY_PERSON)
        person = np.repeat(np.arange(people), counts)[:records]
        nth = (np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts))[:records]
        first, step = draw.integers(0, 3, size=people), draw.integers(1, 3, size=people)
        order = draw.permutation(records)
        self.people = person[order]
        self.systems = ((first[person] + nth * step[person]) % 3)[order]
        self.seed = seed

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.people)

    def all_records(self) -> Iterator[Record]:
        """Yield every record, in the order of their numbers."""
        for start in range(0, len(self), CHUNK):
            yield from self.records(range(start, min(start + CHUNK, len(self))))

    def records(self, numbers: Sequence[int]) -> list[Record]:
        """Return records by number."""
        chosen = np.asarray(numbers, dtype=np.int64)
        people = self.people[chosen]
        has_home = (people % HOUSEHOLD_EVERY == 0) & (people > 0)
        homes = people - has_home
        mailboxes = people - (has_home & (people % MAILBOX_EVERY == 0))
        drawn = zip(
            *(chosen.tolist(), self.systems[chosen].tolist(), people.tolist(), homes.tolist(), mailboxes.tolist()),
            *(_draw(self.seed + 1, people, 2), _draw(self.seed + 2, homes, 6), _draw(self.seed + 3, chosen, 10)),
            strict=True,
        )
        return [_record(Draw(*each)) for each in drawn]


def _draw(seed: int, numbers: NDArray[np.int64], count: int) -> list[list[int]]:
    """Return `count` numbers below a million for each number, by splitmix64."""
    golden, one, two = (np.uint64(each) for each in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
    offset = np.uint64(seed * 0xD1B54A32D192ED03 % 2**64)
    state = (numbers.astype(np.uint64) * np.uint64(64) + offset)[:, None]
    state = (state + np.arange(1, count + 1, dtype=np.uint64)) * golden
    state = (state ^ (state >> np.uint64(30))) * one
    state = (state ^ (state >> np.uint64(27))) * two
    return ((state ^ (state >> np.uint64(31))) % np.uint64(1_000_000)).tolist()


def _record(draw: Draw) -> Record:
    own, shared, dice = draw.own, draw.shared, draw.dice
    given = GIVEN[own[0] % len(GIVEN)]
    family = FAMILY_STARTS[shared[0] % len(FAMILY_STARTS)] + FAMILY_ENDS[shared[1] % len(FAMILY_ENDS)]
    country, city, postcode, language = PLACES[shared[2] % len(PLACES)]
    is_old = dice[0] % 100 < 5
    streets = STREETS[(shared[3] + is_old) % len(STREETS)]
    facts = Facts(
        given_name=_spelled(given, dice[1]),
        family_name=_spelled(family, dice[2]),
        email=_email(family, draw.mailbox, draw.person, dice[3]),
        phone=_phone(country, draw.home, draw.number, dice[4]),
        birth_date=_birth_date(own[1], dice[5]),
        street=f"{streets[shared[4] % len(streets)]} {(shared[4] + is_old * 31) % 180 + 1}",
        postcode=postcode.format(shared[5] % 90 + 1),
        city=city,
        country=country,
        language=language,
    )
    return Record(
        number=draw.number,
        system=draw.system,
        external_id=_external_id(draw.system, draw.number),
        person=draw.person,
        facts=facts,
    )


def _external_id(system: int, number: int) -> str:
    return str(800_000_000 + number) if system == 2 else f"003{'5A'[system]}g{number:010d}AAA"


def _spelled(name: str, dice: int) -> str:
    chance, place = dice % 1000, dice // 1000
    if chance < 30:
        return _mistyped(name, place)
    if chance < 80:
        return name.upper()
    return name.translate(ACCENTS) if chance < 400 else name


def _mistyped(text: str, place: int) -> str:
    at = place % len(text)
    if place % 2:
        return text[:at] + LETTERS[place % 26] + text[at + 1 :]
    return text[:at] + text[at + 1 :] if len(text) > 3 else text + LETTERS[place % 26]


def _email(family: str, mailbox: int, person: int, dice: int) -> str | None:
    chance, place = dice % 1000, dice // 1000
    if chance < 120:
        return None
    local = f"{family.translate(ACCENTS).lower()}.{mailbox}"
    host = MAIL_HOSTS[mailbox % len(MAIL_HOSTS)]
    if chance < 160:
        return f"other.{person}.{place}@{host}"
    if chance < 180:
        local = _mistyped(local, place)
    return f"{local}@{host}".upper() if chance > 900 else f"{local}@{host}"


def _phone(country: str, home: int, number: int, dice: int) -> str | None:
    chance = dice % 1000
    if chance < 200:
        return None
    code, trunk, start = MOBILE[country]
    digits = f"{(home * 7919 + 17) % 1_000_000:06d}" if chance >= 250 else f"{(number * 6007 + 5) % 1_000_000:06d}"
    if chance < 600:
        return f"{trunk}{start[:3]} {start[3:]}{digits[:3]}-{digits[3:]}"
    return f"{code} {start} {digits[:3]} {digits[3:]}" if chance < 800 else f"{code}{start}{digits}"


def _birth_date(own: int, dice: int) -> str | None:
    if dice % 1000 < 300:
        return None
    day = own % 28 + 1 if dice % 1000 < 990 else dice // 1000 % 28 + 1
    return f"{1940 + own // 336 % 66}-{own // 28 % 12 + 1:02d}-{day:02d}"
