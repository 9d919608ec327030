"""The live chapters: edits travel, conflicts are decided, tiers rise, echoes cause nothing."""

import time

from comity.interfaces.cli.demo.cast import CRMS, HUBSPOT, NORTH, SOUTH, Crm
from comity.interfaces.cli.demo.chapters_data import UNIT_MINOR, claim_books
from comity.interfaces.cli.demo.people import CrmRecord
from comity.interfaces.cli.demo.purchases import Order, Sale, to_event
from comity.interfaces.cli.demo.simulators import Traffic
from comity.interfaces.cli.demo.story import LIVE_SECONDS_MAX, Story
from comity.interfaces.cli.demo.waiting import wait_for
from comity.profile.types import Explanation

GOLD, GOLD_POINTS = "Gold", 1_000
ECHO_SECONDS = 6.5
"""Three polls of the slowest stream, and a little."""
POLLS = 3


def move_house(story: Story) -> None:
    """Edit an address in one CRM; it appears in the others. Once by polling, once by webhook.

    The second edit corrects the street alone: locality and city stay, though the locality lies in the same field.
    """
    story.screen.open_chapter("Somebody moves house")
    person = story.people[0]
    first, second, *_ = _list_donors(story)
    lines = (_lines(first)[0], _lines(first)[1]), (_lines(second)[0], _lines(first)[1])
    for source, (street, locality) in zip((NORTH, HUBSPOT), lines, strict=True):

        def address_in(crm: Crm, street: str = street, locality: str = locality) -> dict[str, str]:
            address = crm.line_break.join((street, locality))
            return {"address": address, "city": _value(first, "city"), "postcode": _value(first, "postcode")}

        others = [crm for crm in CRMS if crm is not source]
        began = time.monotonic()
        story.stage.crm(source).edit(person.records[source.system], **address_in(source))
        took = story.wait_shown(person, address_in, others, since=began)
        story.claim_times(f"address edited in {source.title}", took)


def settle_conflict(story: Story) -> None:
    """Two CRMs say different things; the rules decide, and say why."""
    screen, hub = story.screen, story.stage.hub
    screen.open_chapter("Two CRMs disagree")
    person = story.people[1]
    ours, theirs = (_value(donor, "family_name") for donor in _list_donors(story)[2:4])
    began = time.monotonic()
    story.stage.crm(NORTH).edit(person.records[NORTH.system], family_name=ours)
    story.stage.crm(HUBSPOT).edit(person.records[HUBSPOT.system], family_name=theirs)
    screen.say(f"{NORTH.title} now says {ours!r}; a moment later {HUBSPOT.title} says {theirs!r}.")

    def ask() -> Explanation | None:
        found = hub.explain(person.global_id, "family_name")
        is_heard = any(each.system == HUBSPOT.system and each.value == theirs for each in found.losers)
        return found if is_heard and found.value == ours else None

    explanation, _ = wait_for(ask, what="The hub has heard both", seconds_max=LIVE_SECONDS_MAX)
    candidates = [*([explanation.winner] if explanation.winner else []), *explanation.losers]
    screen.show_rows(
        ("system", "says", "because"),
        [(each.system, "-" if each.value is None else str(each.value), each.sentence) for each in candidates],
    )
    winner = explanation.winner
    screen.claim(
        "golden name by system of record",
        f"{explanation.value} of {winner.system if winner else '-'}",
        needed=f"{ours} of {NORTH.system}",
        is_ok=winner is not None and winner.system == NORTH.system and explanation.value == ours,
    )
    took = story.wait_shown(person, lambda _: {"family_name": ours}, since=began)
    story.claim_times("golden name everywhere", took)


def reach_gold(story: Story) -> None:
    """A purchase lifts a member to Gold; the tier appears in every CRM."""
    screen, hub = story.screen, story.stage.hub
    screen.open_chapter("A purchase makes a Gold member")
    member, person = next(
        (member, person)
        for person in story.people[2:] + story.people[:2]
        if (member := hub.show_member(person.global_id)).tier != GOLD
    )
    missing = GOLD_POINTS - member.qualifying_points
    latest = max(story.sent, key=lambda order: order.sold_on)
    order = Order(
        order_id=f"live-{person.records[SOUTH.system]}",
        customer=latest.customer,
        sold_on=latest.sold_on,
        amount_minor=missing * UNIT_MINOR,
    )
    screen.say(f"{member.tier} with {member.qualifying_points:,} points this year; now buys for {missing:,} dollars.")
    began = time.monotonic()
    hub.send_one(to_event(Sale(order=order, crm=SOUTH, external_id=person.records[SOUTH.system])))
    story.sent.append(order)
    points = str(member.points + missing)
    took = story.wait_shown(person, lambda _: {"tier": GOLD, "points": points}, since=began)
    story.claim_times("Gold and balance everywhere", took)


def stay_silent(story: Story) -> None:
    """After all that, the hub reads its own writes again and writes nothing."""
    screen = story.screen
    screen.open_chapter("Its own echo causes nothing")
    story.settle("coming to rest")
    before = _read_traffic(story)
    began = time.monotonic()

    def has_polled() -> bool:
        now = _read_traffic(story)
        polls = min(now[system].read_calls - before[system].read_calls for system in now)
        return polls >= POLLS and time.monotonic() - began >= ECHO_SECONDS

    with screen.show_progress("watching three rounds of polling"):
        wait_for(has_polled, what="Three rounds of polling", seconds_max=LIVE_SECONDS_MAX, every_seconds=0.5)
    after = _read_traffic(story)
    reads = sum(after[system].read_calls - before[system].read_calls for system in after)
    writes = sum(
        after[system].records_written
        + after[system].write_calls
        - before[system].records_written
        - before[system].write_calls
        for system in after
    )
    screen.claim(f"writes in three rounds of polling ({reads} reads)", str(writes), needed="0", is_ok=writes == 0)
    claim_books(story, "points in the end")


def _read_traffic(story: Story) -> dict[str, Traffic]:
    return {crm.system: story.stage.crm(crm).read_traffic() for crm in CRMS}


def _list_donors(story: Story) -> list[CrmRecord]:
    """Return records of other people whose names and addresses the live people take on: nothing is made up."""
    taken = {external_id for person in story.people for external_id in person.records.values()}
    donors: list[CrmRecord] = []
    names: set[str] = set()
    for record in story.list_records(NORTH):
        name = _value(record, "family_name")
        is_whole = record.is_original and all(record.fields.values()) and len(_lines(record)) == 2
        if is_whole and record.external_id not in taken and name not in names and not name.startswith("["):
            donors.append(record)
            names.add(name)
        if len(donors) == 4:
            break
    return donors


def _value(record: CrmRecord, attribute: str) -> str:
    return record.fields[record.crm.fields[attribute]]


def _lines(record: CrmRecord) -> list[str]:
    return _value(record, "address").split(record.crm.line_break)
