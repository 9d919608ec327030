from uuid import UUID

import msgspec
import pytest

from comity.activity import api as activity
from comity.activity.types import PURCHASE_RECORDED, PurchaseFact
from comity.definitions.types import EarningSpec, EnrolSpec, ProgrammeSpec
from comity.kernel.events import Event, publish, read_events
from comity.kernel.readers import Position
from comity.programme import api, readers
from comity.programme.types import InsufficientPoints, Programme

ADA, BOB, EVE = UUID(int=1), UUID(int=2), UUID(int=3)
KINDS = (readers.PROFILE_CREATED, readers.PROFILES_MERGED, PURCHASE_RECORDED)


def programme(**enrol):
    return Programme(
        name="points",
        spec=ProgrammeSpec(
            title="Points", currency="EUR", earning=EarningSpec(points_per_unit=1, unit_minor=100),
            enrol=EnrolSpec(**enrol),
        ),
    )  # fmt: skip


@pytest.fixture
def events(database, clock):
    """A batch as it is read: two people, a purchase each, who turn out to be one."""
    now = clock.now()
    with database.transaction() as tx:
        publish(tx, kind=readers.PROFILE_CREATED, payloads=[{"profile_id": each} for each in (ADA, BOB)], now=now)
        facts = [
            PurchaseFact(
                system="shop", stream="Order", external_id=f"o{n}", occurred_at=now, amount_minor=1_000, currency="EUR"
            )
            for n in range(2)
        ]
        activity.accept_purchases(tx, purchases=facts, profile_ids=[ADA, BOB], now=now)
        publish(
            tx,
            kind=readers.PROFILES_MERGED,
            payloads=[{"loser_profile_id": ADA, "survivor_profile_id": BOB}],
            now=now,
        )
    with database.transaction() as tx:
        found = read_events(tx, position=Position(), kinds=KINDS, count_max=100).events
    assert [each.kind for each in found].count(PURCHASE_RECORDED) == 2
    return found


class TestHandleEvents:
    @pytest.mark.parametrize("times", [1, 2])
    def test_a_batch_counts_once_however_often_it_comes(self, tx, events, clock, times):
        for _ in range(times):
            readers.handle_events(tx, events=events, programmes=[programme(automatic=True)], now=clock.now())
        found = api.find_members(tx, profile_ids=[ADA, BOB])
        assert {(each.profile_id, each.points) for [each] in found.values()} == {(BOB, 20)}

    def test_the_condition_chooses(self, tx, events, clock):
        chosen = programme(automatic=True, when="country = 'DE'")
        readers.handle_profile_events(tx, events=events, programmes=[chosen], now=clock.now(), choose=lambda *_: [BOB])
        assert [each.profile_id for each in api.find_members(tx, profile_ids=[BOB])[BOB]] == [BOB]

    def test_a_condition_nobody_can_judge_enrols_nobody(self, tx, events, clock):
        chosen = programme(automatic=True, when="country = 'DE'")
        readers.handle_events(tx, events=events, programmes=[chosen], now=clock.now())
        assert api.find_members(tx, profile_ids=[ADA, BOB]) == {}

    def test_explicit_enrolment_is_left_to_people(self, tx, events, clock):
        readers.handle_events(tx, events=events, programmes=[programme()], now=clock.now())
        assert api.find_members(tx, profile_ids=[ADA, BOB]) == {}

    def test_a_broken_payload_is_not_taken_for_nothing(self, tx, events, clock):
        broken = [msgspec.structs.replace(each, payload={}) for each in events]
        with pytest.raises(msgspec.ValidationError):
            readers.handle_events(tx, events=broken, programmes=[programme(automatic=True)], now=clock.now())


class TestParting:
    """Somebody merged by mistake comes back: from then on neither sees or spends what is the other's."""

    @pytest.fixture
    def tell(self, tx, clock):
        def told(kind, **payload):
            event = Event(event_id=1, xid=1, kind=kind, payload=payload, occurred_at=clock.now())
            readers.handle_events(tx, events=[event], programmes=[programme(automatic=True)], now=clock.now())

        return told

    def live_again(self, tx, profile_id):
        tx.execute("insert into identity.profile values (%s, 1, null, now())", [profile_id])

    def points_of(self, tx, profile_id):
        return api.get_member(tx, profile_id=profile_id, programme="points").points

    def test_who_lives_again_has_an_account_of_their_own(self, tx, events, clock, tell):
        readers.handle_events(tx, events=events, programmes=[programme(automatic=True)], now=clock.now())
        assert self.points_of(tx, ADA) == 20
        self.live_again(tx, ADA)
        tell(readers.PROFILE_CREATED, profile_id=str(ADA))
        assert (self.points_of(tx, ADA), self.points_of(tx, BOB)) == (0, 20)
        with pytest.raises(InsufficientPoints):
            api.redeem(tx, profile_id=ADA, programme="points", points=1, idempotency_key="k", now=clock.now())

    def test_who_was_no_member_before_becomes_one(self, tx, events, clock, tell):
        readers.handle_events(tx, events=events, programmes=[programme(automatic=True)], now=clock.now())
        tell(readers.PROFILES_MERGED, loser_profile_id=str(EVE), survivor_profile_id=str(BOB))
        assert self.points_of(tx, EVE) == 20
        self.live_again(tx, EVE)
        tell(readers.PROFILE_CREATED, profile_id=str(EVE))
        assert (self.points_of(tx, EVE), self.points_of(tx, BOB)) == (0, 20)

    def test_whoever_is_merged_stays_so(self, tx, events, clock, tell):
        readers.handle_events(tx, events=events, programmes=[programme(automatic=True)], now=clock.now())
        tell(readers.PROFILE_CREATED, profile_id=str(ADA))
        assert self.points_of(tx, ADA) == 20

    def test_an_alias_follows_whoever_it_was_merged_into_before(self, tx, events, clock, tell):
        readers.handle_events(tx, events=events, programmes=[programme(automatic=True)], now=clock.now())
        tell(readers.PROFILES_MERGED, loser_profile_id=str(EVE), survivor_profile_id=str(ADA))
        self.live_again(tx, ADA)
        tell(readers.PROFILE_CREATED, profile_id=str(ADA))
        tell(readers.PROFILES_MERGED, loser_profile_id=str(EVE), survivor_profile_id=str(ADA))
        assert (self.points_of(tx, EVE), self.points_of(tx, ADA), self.points_of(tx, BOB)) == (0, 0, 20)
