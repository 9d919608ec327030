"""Two who were merged by mistake are parted: who spent pays, and the books say so."""

from datetime import timedelta
from uuid import UUID

import msgspec
import pytest

from comity.activity import api as activity
from comity.activity.types import ProfileMove, PurchaseFact, RecordReference, name_profile
from comity.definitions.types import ProgrammeSpec
from comity.identity.types import RECORDS_MOVED
from comity.kernel.events import Event
from comity.ledger import api as ledger
from comity.ledger.types import NewHold, ReturnPolicy, Reversal
from comity.programme import api, parting, readers, store
from comity.programme.purchases import PurchaseWish, ReturnWish
from comity.programme.types import POINTS_PARTED, KeyReused, Programme, UnknownMember
from comity.programme.visiting import VisitWish
from tests.db.programme.test_api import ADA, BOB, EVE, check_books, published

SPEC = {
    "title": "Club", "currency": "EUR", "timezone": "Europe/Berlin", "enrol": {"automatic": True},
    "earning": {"points_per_unit": 1, "unit_minor": 100},
    "tiers": {"window_days": 365, "levels": [{"name": "Blue", "from": 0}, {"name": "Gold", "from": 150}]},
}  # fmt: skip
CLUB = Programme(name="club", spec=msgspec.convert(SPEC, ProgrammeSpec))
RECORDS = {ADA: 1, BOB: 2, EVE: 3}


class Club:
    """People with a record each, whose purchases name it."""

    def __init__(self, tx, now):
        self.tx, self.now = tx, now
        for profile_id, number in RECORDS.items():
            tx.execute("insert into identity.profile values (%s, %s, null, now())", [profile_id, number])
            tx.execute(
                "insert into identity.record (record_id, system, stream, external_id, profile_id, linked_at, rule, "
                "match_hash, features) overriding system value "
                "values (%s, 'crm', 'Contact', %s, %s, now(), 'founded', 0, '{}')",
                [number, f"c{number}", profile_id],
            )
        api.enrol(tx, profile_ids=list(RECORDS), programme=CLUB, now=now)

    def buy(self, person, points, number):
        [(living,)] = self.tx.execute(
            "select profile_id from identity.record where record_id = %s", [RECORDS[person]]
        ).fetchall()
        fact = PurchaseFact(
            system="shop", stream="Order", external_id=f"o{number}", occurred_at=self.now, amount_minor=points * 100,
            currency="EUR",
            person=RecordReference(system="crm", stream="Contact", external_id=f"c{RECORDS[person]}"),
        )  # fmt: skip
        activity.accept_purchases(self.tx, purchases=[fact], profile_ids=[living], now=self.now)
        [told] = self.tx.execute(
            "select payload from kernel.event where kind = 'activity.purchase_recorded' order by event_id desc limit 1"
        ).fetchone()
        event = Event(event_id=1, xid=1, kind="activity.purchase_recorded", payload=told, occurred_at=self.now)
        readers.handle_events(self.tx, events=[event], programmes=[CLUB], now=self.now)

    def give(self, people, leader):
        """Identity puts the records of people where they belong, and purchases follow."""
        for person in people:
            merged = None if person == leader else leader
            self.tx.execute("update identity.profile set merged_into = %s where profile_id = %s", [merged, person])
            self.tx.execute(
                "update identity.record set profile_id = %s where record_id = %s", [leader, RECORDS[person]]
            )
        activity.follow_records(self.tx, record_ids=[RECORDS[person] for person in people])

    def merge(self, loser, survivor):
        self.give([loser], survivor)
        moves = [ProfileMove(loser_profile_id=loser, survivor_profile_id=survivor)]
        assert api.merge_members(self.tx, moves=moves, programmes=[CLUB], now=self.now) == 1

    def part(self, person):
        self.give([person], person)
        assert parting.part_members(self.tx, profile_ids=[person], programmes=[CLUB], now=self.now) == 1
        assert parting.part_members(self.tx, profile_ids=[person], programmes=[CLUB], now=self.now) == 0
        check_books(self.tx)

    def return_purchase(self, number, points):
        """Take points back of a purchase, from whoever has its account now."""
        [(profile_id, transfer_id)] = self.tx.execute(
            "select p.profile_id, e.transfer_id from activity.purchase p join programme.earning e using (purchase_id) "
            "where p.business_key like %s",
            [f"%:o{number}"],
        ).fetchall()
        account = api.get_member(self.tx, profile_id=profile_id, programme="club").account_id
        wish = Reversal(
            transfer_id=transfer_id, idempotency_key=f"back:{number}", effective_on=self.now.date(), reason="",
            system="shop", external_id=f"o{number}", amount=points, policy=ReturnPolicy.ALLOW_NEGATIVE,
            account_id=account,
        )  # fmt: skip
        [verdict] = ledger.reverse(self.tx, reversals=[wish], now=self.now)
        assert verdict.amount == points

    def redeem(self, person, points, key):
        return api.redeem(
            self.tx, profile_id=person, programme="club", points=points, idempotency_key=key, now=self.now
        )

    def show(self, person):
        member = api.get_member(self.tx, profile_id=person, programme="club")
        return member.points, member.tier


@pytest.fixture
def club(tx, clock):
    return Club(tx, clock.now())


def test_each_gets_their_own_back_also_what_was_bought_meanwhile(club):
    club.buy(ADA, 100, 1)
    club.buy(BOB, 40, 2)
    club.merge(ADA, BOB)
    club.buy(ADA, 60, 3)
    club.buy(BOB, 5, 4)
    assert club.show(BOB) == (205, "Gold")
    club.part(ADA)
    assert (club.show(ADA), club.show(BOB)) == ((160, "Gold"), (45, "Blue"))
    club.merge(ADA, BOB)
    club.part(ADA)
    assert (club.show(ADA), club.show(BOB)) == ((160, "Gold"), (45, "Blue"))


def test_who_spent_pays_and_owes_what_they_cannot_pay(club, tx):
    club.buy(ADA, 100, 1)
    club.buy(BOB, 40, 2)
    club.merge(ADA, BOB)
    spent = club.redeem(BOB, 90, "r").transfer_id
    club.part(ADA)
    assert (club.show(ADA)[0], club.show(BOB)[0]) == (100, -50)
    told = {UUID(each["profile_id"]): each for each in published(tx, POINTS_PARTED)}
    assert (told[ADA]["points"], told[ADA]["given_back"], told[ADA]["paid"]) == (10, 90, 0)
    assert (told[BOB]["points"], told[BOB]["paid"], told[BOB]["shortfall"]) == (-10, 90, 50)
    assert (told[BOB]["rule"], told[BOB]["policy"], told[BOB]["let_go"]) == ("who_spent_pays", "owed", 0)
    # The story of what was spent tells who got it back, and why.
    [line] = [each for each in ledger.trace(tx, transfer_id=spent).lines if each.reverses_transfer_id == spent]
    assert (line.amount, line.kind, line.reason) == (90, "unmerge", parting.REASON)
    club.buy(BOB, 60, 3)
    assert club.show(BOB)[0] == 10


def test_a_programme_may_bear_what_nobody_can_pay(club, tx, monkeypatch):
    spec = msgspec.convert({**SPEC, "unmerge": {"shortfall": "let_go"}}, ProgrammeSpec)
    monkeypatch.setattr(f"{__name__}.CLUB", Programme(name="club", spec=spec))
    club.buy(ADA, 100, 1)
    club.buy(BOB, 40, 2)
    club.merge(ADA, BOB)
    club.redeem(BOB, 90, "r")
    club.part(ADA)
    assert (club.show(ADA)[0], club.show(BOB)[0]) == (100, 0)
    told = {UUID(each["profile_id"]): each for each in published(tx, POINTS_PARTED)}
    assert (told[BOB]["paid"], told[BOB]["shortfall"], told[BOB]["let_go"]) == (90, 50, 50)
    assert (told[BOB]["rule"], told[BOB]["policy"], told[ADA]["let_go"]) == ("who_spent_pays", "let_go", 0)
    club.buy(BOB, 60, 3)
    assert club.show(BOB)[0] == 60
    club.merge(ADA, BOB)
    club.part(ADA)
    assert (club.show(ADA)[0], club.show(BOB)[0]) == (100, 60), "what was let go is not asked for again"


def test_who_spent_by_the_merged_id_pays_from_their_own(club):
    club.buy(BOB, 40, 1)
    club.buy(ADA, 100, 2)
    club.merge(ADA, BOB)
    club.redeem(ADA, 30, "r")
    club.part(ADA)
    assert (club.show(ADA)[0], club.show(BOB)[0]) == (70, 40)


def test_of_three_one_leaves_and_each_of_the_others_pays_their_own(club):
    for number, (person, points) in enumerate([(ADA, 50), (BOB, 60), (EVE, 70)]):
        club.buy(person, points, number)
    club.merge(ADA, BOB)
    club.merge(EVE, BOB)
    club.redeem(EVE, 55, "r")
    club.part(ADA)
    assert (club.show(ADA)[0], club.show(BOB)[0]) == (50, 75)
    club.part(EVE)
    assert [club.show(each)[0] for each in (ADA, BOB, EVE)] == [50, 60, 15]


def test_who_stays_behind_once_and_comes_along_later_gets_all_of_theirs(club):
    """ADA and EVE share BOB's account; ADA leaves, comes back, and leaves again with EVE."""
    for number, (person, points) in enumerate([(ADA, 50), (BOB, 60), (EVE, 70)]):
        club.buy(person, points, number)
    club.merge(EVE, BOB)
    club.buy(EVE, 7, 4)
    club.merge(ADA, BOB)
    club.redeem(BOB, 100, "r")
    club.part(ADA)
    assert (club.show(ADA)[0], club.show(BOB)[0]) == (50, 37)
    club.merge(ADA, BOB)
    club.give([ADA, EVE], ADA)
    assert parting.part_members(club.tx, profile_ids=[ADA], programmes=[CLUB], now=club.now) == 1
    assert (club.show(ADA)[0], club.show(BOB)[0]) == (127, -40)
    club.part(EVE)
    assert [club.show(each)[0] for each in (ADA, BOB, EVE)] == [50, -40, 77]
    check_books(club.tx)


def test_who_led_and_then_follows_still_gets_what_was_spent_before(club):
    """EVE spends ADA's points as her alias; then ADA follows EVE, and is parted from her last."""
    club.buy(ADA, 20, 1)
    club.merge(EVE, ADA)
    club.redeem(EVE, 14, "r")
    club.merge(ADA, BOB)
    club.give([ADA, EVE], EVE)
    assert parting.part_members(club.tx, profile_ids=[EVE], programmes=[CLUB], now=club.now) == 1
    club.part(ADA)
    assert [club.show(each)[0] for each in (ADA, BOB, EVE)] == [20, 0, -14]


def test_a_purchase_that_is_returned_while_three_share_counts_for_whose_record_it_names(club):
    for number, (person, points) in enumerate([(ADA, 50), (BOB, 60), (EVE, 70)]):
        club.buy(person, points, number)
    club.merge(ADA, BOB)
    club.merge(EVE, BOB)
    club.redeem(BOB, 90, "r")
    club.return_purchase(2, 40)
    club.buy(EVE, 5, 3)
    club.part(ADA)
    assert (club.show(ADA)[0], club.show(BOB)[0]) == (50, 5)
    club.part(EVE)
    assert [club.show(each)[0] for each in (ADA, BOB, EVE)] == [50, -30, 35]


def test_a_hold_follows_who_asked_for_it(club, tx, now):
    club.buy(ADA, 100, 1)
    account = api.get_member(tx, profile_id=ADA, programme="club").account_id
    wish = NewHold(
        idempotency_key="h", account_id=account, amount=30, deadline_at=now + timedelta(hours=1),
        effective_on=now.date(), system="till", external_id="1",
    )  # fmt: skip
    ledger.reserve(tx, holds=[wish], now=now)
    club.merge(ADA, BOB)
    club.part(ADA)
    club.merge(ADA, BOB)
    assert api.time_out_holds(tx, programme=CLUB, now=now + timedelta(hours=2)) == 1
    assert club.show(BOB)[0] == 100
    club.part(ADA)
    assert (club.show(ADA)[0], club.show(BOB)[0]) == (100, 0)


def test_a_purchase_goes_with_its_record_to_somebody_who_was_never_merged(club, tx):
    club.buy(ADA, 100, 1)
    club.buy(ADA, 20, 2)
    club.redeem(ADA, 70, "r")
    tx.execute("update activity.report set person_external_id = 'c3' where external_id = 'o1'")
    activity.follow_records(tx, record_ids=[3])
    event = Event(
        event_id=1, xid=1, kind=RECORDS_MOVED, payload={"record_id": 3, "source": str(ADA), "target": str(EVE)},
        occurred_at=club.now,
    )  # fmt: skip
    for _ in range(2):
        readers.handle_events(tx, events=[event], programmes=[CLUB], now=club.now)
        assert (club.show(ADA)[0], club.show(EVE)[0]) == (-50, 100)
    check_books(tx)


def tell(club, person, points, number, *, by=None):
    wish = PurchaseWish(
        person=by or name_profile(person),
        number=number,
        occurred_at=club.now,
        amount_minor=points * 100,
        currency="EUR",
    )
    [told] = api.record_purchases(club.tx, wishes=[wish], programmes=[CLUB], now=club.now)
    return told


def test_a_purchase_told_for_a_global_id_goes_with_that_one_whoever_stands_for_it(club, tx):
    tell(club, ADA, 100, "R-1")
    tell(club, BOB, 40, "R-2")
    club.merge(ADA, BOB)
    assert tell(club, ADA, 60, "R-3").global_id == BOB
    tell(club, BOB, 5, "R-4")
    club.redeem(ADA, 30, "r")
    club.part(ADA)
    assert (club.show(ADA), club.show(BOB)) == ((130, "Gold"), (45, "Blue"))
    again = tell(club, ADA, 60, "R-3")
    assert (again.is_duplicate, again.global_id, again.programmes[0].points) == (True, ADA, 60)
    wish = ReturnWish(number="B-1", purchase_number="R-3", profile_id=ADA)
    [taken] = api.record_returns(tx, wishes=[wish], programmes=[CLUB], now=club.now)
    assert taken.purchase.global_id == ADA
    assert (club.show(ADA)[0], club.show(BOB)[0]) == (70, 45)


def test_a_purchase_told_for_a_record_goes_with_the_record(club):
    adas, bobs = (RecordReference(system="crm", stream="Contact", external_id=each) for each in ("c1", "c2"))
    club.merge(ADA, BOB)
    assert tell(club, ADA, 60, "R-1", by=adas).global_id == BOB
    tell(club, BOB, 5, "R-2", by=bobs)
    club.part(ADA)
    assert (club.show(ADA)[0], club.show(BOB)[0]) == (60, 5)
    unknown = msgspec.structs.replace(adas, external_id="c9")
    wish = PurchaseWish(person=unknown, number="R-3", occurred_at=club.now, amount_minor=1, currency="EUR")
    [refused] = api.record_purchases(club.tx, wishes=[wish], programmes=[CLUB], now=club.now)
    assert (refused.code, refused.details) == ("unknown_member", {"record": "crm/Contact/c9"})


def test_a_visit_goes_with_whom_it_names(club, tx):
    def visit(number, person, **changes):
        wish = VisitWish(person=person, number=number, **changes)
        told = api.record_visit(tx, wish=wish, now=club.now)
        return told.global_id, told.is_duplicate

    record = RecordReference(system="crm", stream="Contact", external_id="c1")
    assert visit("v1", name_profile(ADA)) == (ADA, False)
    club.merge(ADA, BOB)
    activity.reassign_profiles(tx, moves=[ProfileMove(loser_profile_id=ADA, survivor_profile_id=BOB)])
    assert visit("v1", name_profile(ADA)) == visit("v1", name_profile(BOB)) == (BOB, True)
    assert [visit("v2", record), visit("v3", name_profile(ADA)), visit("v4", name_profile(BOB))] == [(BOB, False)] * 3
    club.part(ADA)
    assert [visit(f"v{number}", record) for number in range(1, 4)] == [(ADA, True)] * 3
    for person, changes in ((record, {}), (name_profile(BOB), {"occurred_at": club.now - timedelta(hours=1)})):
        with pytest.raises(KeyReused):
            visit("v4", person, **changes)
    with pytest.raises(UnknownMember):
        visit("v5", name_profile(UUID(int=99)))


def test_of_three_each_global_id_takes_what_was_told_for_it(club):
    for number, (person, points) in enumerate([(ADA, 50), (BOB, 60), (EVE, 70)]):
        tell(club, person, points, f"R-{number}")
    club.merge(EVE, ADA)
    club.give([EVE], BOB)
    club.merge(ADA, BOB)
    tell(club, EVE, 7, "R-7")
    club.give([ADA, EVE], ADA)
    assert parting.part_members(club.tx, profile_ids=[ADA], programmes=[CLUB], now=club.now) == 1
    assert (club.show(ADA)[0], club.show(BOB)[0]) == (127, 60)
    club.part(EVE)
    assert [club.show(each)[0] for each in (ADA, BOB, EVE)] == [50, 60, 77]


def test_the_first_report_says_whose_a_purchase_is_by_record_or_global_id(club):
    """EVE's record is named by the shop, ADA's Global ID at the counter: each was first for one purchase."""
    club.merge(ADA, BOB)
    club.give([EVE], BOB)
    club.buy(EVE, 10, 1)
    tell(club, ADA, 10, "shop:o1")
    tell(club, ADA, 20, "shop:o2")
    club.buy(EVE, 20, 2)
    club.part(ADA)
    assert club.show(ADA)[0] == 20


@pytest.fixture
def now(clock):
    return clock.now()


def test_asking_by_ones_own_id_leaves_no_note(club, tx):
    club.buy(ADA, 100, 1)
    club.redeem(ADA, 30, "r")
    assert tx.execute("select count(*) from programme.asked").fetchone() == (0,)
    store.note_asked(tx, asked=[])
