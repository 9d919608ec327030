"""The first chapters: records become people, purchases become points, a third CRM joins under load."""

import threading
import time
from collections.abc import Sequence

from comity.interfaces.cli.demo.cast import CRMS, HUBSPOT, NORTH, SOUTH, Crm
from comity.interfaces.cli.demo.hub import Hub, Sent
from comity.interfaces.cli.demo.project_files import write_shared
from comity.interfaces.cli.demo.purchases import Sale, count_points, list_invoiced, to_event, to_invoice
from comity.interfaces.cli.demo.story import SETTLE_SECONDS_BOUND, SETTLE_SECONDS_MAX, Person, Story, to_key
from comity.interfaces.cli.demo.truth import measure_links
from comity.interfaces.cli.demo.waiting import wait_while_moving
from comity.interfaces.shared.views import StatusView
from comity.kernel.errors import Refused

UNIT_MINOR = 100
"""Minor units of money for one point, as programme.yaml says."""
PAST_SHARE = 0.7
"""The part of the history that is sent before the third CRM joins; the rest comes in meanwhile."""
SENT_AGAIN = 1_000
PRECISION_MIN, RECALL_MIN = 0.99, 0.90
FEED_LINES, FEED_SECONDS = 500, 0.2
CREATE_CONDITION = "state = 'nt' and given_name is not null and family_name is not null"
PEOPLE_MIN = 3


class StoryBroken(Refused):
    """The hub does not know everybody; what follows would make no sense. Look at `comity parked list`."""


def bring_two_together(story: Story) -> None:
    """Connect two CRMs; their records become people."""
    stage, screen = story.stage, story.screen
    screen.open_chapter("Two CRMs come together")
    write_shared(stage.project_dir)
    for crm in (NORTH, HUBSPOT):
        stage.connect(crm)
    began = time.monotonic()
    stage.hub.apply_project()
    stage.crm(HUBSPOT).send_webhooks_to(f"{stage.hub.url}/hooks/{HUBSPOT.system}")
    status = story.settle("reading people")
    seconds = time.monotonic() - began
    records = story.list_records(NORTH, HUBSPOT)
    known = stage.hub.find_global_ids([to_key(record) for record in records])
    shares = ", ".join(f"{crm.title} {len(story.list_records(crm)):,}" for crm in (NORTH, HUBSPOT))
    screen.say(f"{shares} records of FEBRL 4 -> {status.profile_count:,} people, in {seconds:.1f} s, written back too.")
    screen.claim(
        "records with a Global ID",
        f"{len(known):,}",
        needed=f"{len(records):,}",
        is_ok=len(known) == len(records),
    )
    if len(known) < len(records):
        raise StoryBroken(details={"known": f"{len(known):,} of {len(records):,}", "set aside": _count_parked(status)})


def earn_points(story: Story) -> None:
    """Send the past of the shop; then everything that must not count twice."""
    hub, screen = story.stage.hub, story.screen
    screen.open_chapter("Purchases become points")
    sales = _of(story.sales, NORTH, HUBSPOT)
    past = sales[: int(len(sales) * PAST_SHARE)]
    with screen.show_progress("sending purchases") as advance:
        began = time.monotonic()
        sent = hub.send([to_event(sale) for sale in past], advance=advance)
        seconds = time.monotonic() - began
    screen.say(f"The shop sent {sent.accepted:,} orders of CDNOW in {seconds:.1f} s.")
    story.sent.extend(sale.order for sale in past)
    story.settle("posting points")
    claim_books(story, "points posted")
    invoices = [to_invoice(order) for order in list_invoiced(story.sent)]
    reported = hub.send(invoices)
    again = hub.send([to_event(sale) for sale in past[:SENT_AGAIN]])
    status = story.settle("taking the ERP's reports in")
    expected = count_points(story.sent, unit_minor=UNIT_MINOR)
    screen.claim(
        f"points by {reported.accepted:,} ERP reports, {again.duplicates:,} repeats",
        f"{status.points_outstanding - expected:,}",
        needed="0",
        is_ok=status.points_outstanding == expected and reported.accepted == len(invoices) and again.accepted == 0,
    )


def claim_books(story: Story, name: str) -> None:
    """Claim that the points are exactly those of the orders sent, and that the books balance."""
    status = story.stage.hub.read_status()
    expected = count_points(story.sent, unit_minor=UNIT_MINOR)
    points = status.points_outstanding
    story.screen.claim(name, f"{points:,}", needed=f"{expected:,}", is_ok=points == expected)
    balance = status.trial_balance
    if balance or name == "points posted":
        story.screen.claim("trial balance", str(balance), needed="0", is_ok=balance == 0)


class Feeder(threading.Thread):
    """Keeps purchases coming in while something else happens."""

    def __init__(self, hub: Hub, sales: Sequence[Sale]) -> None:
        """Begin with these; `add` brings more, `finish` waits for the last."""
        super().__init__(name="feeder", daemon=True)
        self.sent = Sent()
        self._hub = hub
        self._waiting = list(sales)
        self._place = 0
        self._has_all = threading.Event()
        self._failure: Exception | None = None

    def add(self, sales: Sequence[Sale]) -> None:
        """Bring the last sales."""
        self._waiting.extend(sales)
        self._has_all.set()

    def run(self) -> None:
        """Send a bulk request every moment."""
        try:
            while self._place < len(self._waiting) or not self._has_all.is_set():
                batch = self._waiting[self._place : self._place + FEED_LINES]
                sent = self._hub.send([to_event(sale) for sale in batch])
                self.sent.accepted += sent.accepted
                self.sent.duplicates += sent.duplicates
                self._place += len(batch)
                time.sleep(FEED_SECONDS)
        except Exception as error:  # noqa: BLE001 - raised again by `finish`, in the thread that tells the story.
            self._failure = error

    def finish(self, *, still_seconds_max: float, seconds_max: float) -> None:
        """Wait until everything is sent; raise what went wrong, or TookTooLong once nothing goes out any more."""
        self._has_all.set()
        wait_while_moving(
            self._count_done,
            wanted=len(self._waiting),
            what="Orders sent meanwhile",
            still_seconds_max=still_seconds_max,
            seconds_max=seconds_max,
        )
        self.join()

    def _count_done(self) -> int:
        if self._failure is not None:
            raise self._failure
        return self._place


def join_third(story: Story) -> None:
    """Connect the third CRM while purchases keep coming in."""
    stage, hub, screen = story.stage, story.stage.hub, story.screen
    screen.open_chapter("A third CRM joins, while purchases keep coming in")
    known = {order.order_id for order in story.sent}
    feeder = Feeder(hub, [sale for sale in _of(story.sales, NORTH, HUBSPOT) if sale.order.order_id not in known])
    feeder.start()
    stage.connect(SOUTH)
    began = time.monotonic()
    revision = hub.apply_project()
    feeder.add(_of(story.sales, SOUTH))
    keys = [to_key(record) for record in story.list_records(SOUTH)]
    with screen.show_progress("reading the third CRM"):
        seconds = wait_while_moving(
            lambda: len(hub.find_global_ids(keys)),
            wanted=len(keys),
            what="Records of the third CRM linked",
            still_seconds_max=SETTLE_SECONDS_MAX,
            seconds_max=SETTLE_SECONDS_BOUND,
            every_seconds=0.5,
        )
    before = len(story.sent)
    feeder.finish(still_seconds_max=SETTLE_SECONDS_MAX, seconds_max=SETTLE_SECONDS_BOUND)
    story.sent = [sale.order for sale in story.sales]
    status = story.settle("taking in what came meanwhile")
    screen.say(
        f"Revision {revision} in force without a restart; its {len(keys):,} records were linked {seconds:.1f} s later, "
        f"all was quiet after {time.monotonic() - began:.1f} s: {status.profile_count:,} people."
    )
    expected = len(story.sent) - before
    screen.claim(
        "orders taken in meanwhile",
        f"{feeder.sent.accepted:,}",
        needed=f"{expected:,}",
        is_ok=feeder.sent.accepted == expected and feeder.sent.duplicates == 0,
    )
    claim_books(story, "points after all orders")


def hold_against_truth(story: Story) -> None:
    """Measure the links against the truth, which the hub was never told."""
    screen = story.screen
    screen.open_chapter("The links, held against the truth")
    found = story.stage.hub.find_global_ids([to_key(record) for record in story.records])
    quality = measure_links(
        truth={record.crm.system + record.external_id: record.number for record in story.records},
        found={key.system + key.external_id: global_id for key, global_id in found.items()},
    )
    screen.say(
        f"{quality.true_count:,} pairs of records are one person in truth; the hub linked {quality.found_count:,}, "
        f"{quality.right_count:,} of them rightly."
    )
    for name, value, least in (
        ("precision", quality.precision, PRECISION_MIN),
        ("recall", quality.recall, RECALL_MIN),
    ):
        screen.figures[name] = round(value, 5)
        screen.claim(name, f"{value:.4f}", needed=f"{least:.2f}", is_ok=value >= least)


def write_everywhere(story: Story) -> None:
    """Count what was written back; then let people of one state have a record in every CRM."""
    stage, screen = story.stage, story.screen
    screen.open_chapter("Every CRM shows the same person")
    for crm in CRMS:
        count = len(story.list_records(crm))
        filled = [stage.crm(crm).count_filled(attribute) for attribute in ("global_id", "tier", "points")]
        screen.claim(
            f"{crm.title}: Global ID, tier, points",
            ", ".join(f"{each:,}" for each in filled),
            needed=f"{count:,} each",
            is_ok=all(each == count for each in filled),
        )
    for crm in CRMS:
        stage.connect(crm, create=CREATE_CONDITION)
    stage.hub.apply_project()
    status = story.settle("creating records")
    found = stage.hub.find_people("state", "nt")
    story.people = [
        Person(global_id=global_id, records={system: ids[0] for system, ids in records.items()})
        for global_id, records in sorted(found.items(), key=lambda item: sorted(item[1].items()))
        if len(records) == len(CRMS) and all(len(ids) == 1 for ids in records.values())
    ]
    screen.say("New policy: people of the Northern Territory with a full name get a record in every CRM.")
    complete = {person.global_id for person in story.people}
    nameless = sum(stage.hub.lacks_name(global_id) for global_id in found if global_id not in complete)
    screen.claim(
        "people in every CRM by policy",
        f"{len(complete)}",
        needed=f"{len(found) - nameless}",
        is_ok=len(complete) == len(found) - nameless and len(complete) >= PEOPLE_MIN,
    )
    parked = _count_parked(status)
    screen.claim("set aside (changes, deliveries)", str(parked), needed="0", is_ok=parked == 0)


def _of(sales: Sequence[Sale], *crms: Crm) -> list[Sale]:
    return [sale for sale in sales if sale.crm in crms]


def _count_parked(status: StatusView) -> int:
    return sum(each.parked_changes + each.parked_deliveries for each in status.systems)
