"""Members earn, rise and spend."""

from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread
from uuid import UUID

import pytest

from comity.activity.types import ProfileMove, PurchaseRecorded
from comity.definitions.types import EarningSpec, EnrolSpec, ProgrammeSpec, TierLadder, TierLevel
from comity.ledger import api as ledger
from comity.ledger import store as ledger_store
from comity.ledger.types import AMOUNT_MAX
from comity.programme import api, jobs
from comity.programme.types import (
    MEMBER_ENROLLED,
    MEMBERS_MERGED,
    POINTS_EARNED,
    POINTS_REDEEMED,
    TIER_CHANGED,
    EarnOutcome,
    InsufficientPoints,
    InvalidRedemption,
    KeyReused,
    Programme,
    Redemption,
    RedemptionStatus,
    UnknownMember,
)
from comity.programme.wishes import ProgrammeNotDefined

ADA, BOB, EVE = UUID(int=1), UUID(int=2), UUID(int=3)
LADDER = TierLadder(
    window_days=365,
    levels=(
        TierLevel(name="Blue", points_from=0),
        TierLevel(name="Silver", points_from=500),
        TierLevel(name="Gold", points_from=1000),
    ),
)


def programme(name="points", *, automatic=False, **changes):
    fields = {
        "title": "Points",
        "currency": "EUR",
        "timezone": "Europe/Berlin",
        "earning": EarningSpec(points_per_unit=1, unit_minor=100),
        "enrol": EnrolSpec(automatic=automatic),
        "tiers": LADDER,
    } | changes
    return Programme(name=name, spec=ProgrammeSpec(**fields))


POINTS = programme()


def purchase(number, profile_id=ADA, amount=10_000, occurred_at=None, currency="EUR"):
    return PurchaseRecorded(
        purchase_id=number, business_key=f"R-{number}", profile_id=profile_id, amount_minor=amount, currency=currency,
        occurred_at=occurred_at or datetime(2026, 3, 1, 10, tzinfo=UTC), system="shop", stream="Order",
        external_id=f"o{number}",
    )  # fmt: skip


def published(tx, kind):
    rows = tx.execute("select payload from kernel.event where kind = %s order by event_id", (kind,)).fetchall()
    return [row[0] for row in rows]


def check_books(tx):
    assert ledger_store.find_imbalance(tx) == []
    totals = {}
    for row in ledger.trial_balance(tx):
        totals[row.book, row.unit] = totals.get((row.book, row.unit), 0) + row.balance
    assert set(totals.values()) <= {0}


@pytest.fixture
def now(clock):
    return clock.now()


@pytest.fixture
def books(tx):
    """Whatever a test does, the books balance at its end."""
    yield
    check_books(tx)


pytestmark = pytest.mark.usefixtures("clock")


class TestEnrol:
    def test_makes_members_once(self, tx, now):
        assert set(api.enrol(tx, profile_ids=[ADA, BOB, ADA], programme=POINTS, now=now)) == {ADA, BOB}
        assert api.enrol(tx, profile_ids=[ADA, BOB], programme=POINTS, now=now) == []
        member = api.get_member(tx, profile_id=ADA, programme="points")
        assert (member.tier, member.points, member.qualifying_points) == ("Blue", 0, 0)
        assert {each["profile_id"] for each in published(tx, MEMBER_ENROLLED)} == {str(ADA), str(BOB)}

    def test_programmes_stand_side_by_side(self, tx, now):
        api.enrol(tx, profile_ids=[ADA], programme=POINTS, now=now)
        api.enrol(tx, profile_ids=[ADA], programme=programme("stars", tiers=None), now=now)
        found = api.find_members(tx, profile_ids=[ADA, BOB])
        assert [(each.programme, each.tier) for each in found[ADA]] == [("points", "Blue"), ("stars", None)]
        assert BOB not in found


@pytest.mark.usefixtures("books")
class TestEarn:
    def earn(self, tx, now, *purchases, programmes=(POINTS,)):
        return api.earn_for_purchases(tx, purchases=purchases, programmes=programmes, now=now)

    def test_earns_once_and_lifts_the_tier(self, tx, now):
        api.enrol(tx, profile_ids=[ADA], programme=POINTS, now=now)
        earned = self.earn(tx, now, purchase(1, amount=49_999), purchase(2, amount=100))
        assert [each.points for each in earned] == [499, 1]
        assert self.earn(tx, now, purchase(1, amount=49_999), purchase(2, amount=100)) == []
        member = api.get_member(tx, profile_id=ADA, programme="points")
        assert (member.points, member.qualifying_points, member.tier) == (500, 500, "Silver")
        assert [each["balance"] for each in published(tx, POINTS_EARNED)] == [499, 500]
        [change] = published(tx, TIER_CHANGED)
        assert (change["old_tier"], change["new_tier"], change["profile_id"]) == ("Blue", "Silver", str(ADA))

    def test_keeps_the_source_key(self, tx, now):
        api.enrol(tx, profile_ids=[ADA], programme=POINTS, now=now)
        self.earn(tx, now, purchase(1))
        account_id = api.get_member(tx, profile_id=ADA, programme="points").account_id
        [line] = ledger.list_entries(tx, account_id=account_id)
        assert (line.system, line.external_id, line.kind) == ("shop", "o1", "earn")
        assert line.effective_on.isoformat() == "2026-03-01"

    def test_notes_why_nothing_was_earned(self, tx, now):
        api.enrol(tx, profile_ids=[ADA], programme=POINTS, now=now)
        self.earn(tx, now, purchase(1, currency="USD"), purchase(2, amount=-100), purchase(3, amount=99))
        outcomes = [api.find_earnings(tx, purchase_id=number)[0].outcome for number in (1, 2, 3)]
        assert outcomes == [EarnOutcome.OTHER_CURRENCY, EarnOutcome.NOT_POSITIVE, EarnOutcome.BELOW_ONE_POINT]
        assert published(tx, POINTS_EARNED) == []

    def test_passes_over_who_is_no_member(self, tx, now):
        assert self.earn(tx, now, purchase(1)) == []
        assert api.find_members(tx, profile_ids=[ADA]) == {}

    def test_enrols_where_that_is_automatic(self, tx, now):
        earned = self.earn(tx, now, purchase(1), purchase(2, BOB), programmes=[programme(automatic=True)])
        assert {each.profile_id for each in earned} == {ADA, BOB}

    def test_earns_in_each_programme(self, tx, now):
        programmes = [programme("a", automatic=True), programme("b", automatic=True)]
        assert len(self.earn(tx, now, purchase(1), programmes=programmes)) == 2

    def test_two_purchases_of_one_member_in_a_batch_both_count(self, tx, now):
        self.earn(tx, now, *[purchase(n) for n in range(1, 21)], programmes=[programme(automatic=True)])
        member = api.get_member(tx, profile_id=ADA, programme="points")
        assert (member.points, member.tier) == (2000, "Gold")


class TestTiers:
    def test_points_leave_the_window(self, tx, now):
        auto = programme(automatic=True)
        berlin_evening = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)  # the 3rd already in Berlin
        api.earn_for_purchases(
            tx, purchases=[purchase(1, amount=60_000, occurred_at=berlin_evening)], programmes=[auto], now=now
        )
        last_day = datetime(2027, 3, 2, 12, tzinfo=UTC)
        for day, tier in ((last_day, "Silver"), (last_day + timedelta(days=1), "Blue")):
            assert jobs.recompute_tiers(tx, programme=auto, now=day) is None
            assert api.get_member(tx, profile_id=ADA, programme="points").tier == tier
        assert [each["new_tier"] for each in published(tx, TIER_CHANGED)] == ["Silver", "Blue"]
        assert api.get_member(tx, profile_id=ADA, programme="points").points == 600

    def test_a_new_ladder_counts_at_the_next_run(self, tx, now):
        auto = programme(automatic=True)
        api.earn_for_purchases(tx, purchases=[purchase(1, amount=60_000)], programmes=[auto], now=now)
        levels = (TierLevel(name="Base", points_from=0), TierLevel(name="Top", points_from=600))
        jobs.recompute_tiers(tx, programme=programme(tiers=TierLadder(levels=levels)), now=now)
        assert api.get_member(tx, profile_id=ADA, programme="points").tier == "Top"
        jobs.recompute_tiers(tx, programme=programme(tiers=None), now=now)
        assert api.get_member(tx, profile_id=ADA, programme="points").tier is None

    def test_goes_on_in_batches(self, tx, now):
        api.enrol(tx, profile_ids=[UUID(int=n) for n in range(1, 6)], programme=POINTS, now=now)
        after, batches = 0, 0
        while after is not None:
            after = jobs.recompute_tiers(tx, programme=POINTS, now=now, after_member_id=after, batch_count=2)
            batches += 1
        assert batches == 1
        after, batches, other = 0, 0, programme(tiers=TierLadder(levels=LADDER.levels, window_days=7))
        while after is not None:
            after = jobs.recompute_tiers(tx, programme=other, now=now, after_member_id=after, batch_count=2)
            batches += 1
        assert batches == 3

    @pytest.mark.parametrize(
        ("points", "tier"),
        [(0, "Blue"), (1, "Blue"), (499, "Blue"), (500, "Silver"), (999, "Silver"), (1000, "Gold"), (5000, "Gold")],
    )
    def test_a_level_begins_where_it_says(self, tx, now, points, tier):
        auto = programme(automatic=True)
        api.earn_for_purchases(tx, purchases=[purchase(1, amount=points * 100)], programmes=[auto], now=now)
        member = api.get_member(tx, profile_id=ADA, programme="points")
        assert member.tier == tier


@pytest.mark.usefixtures("books")
class TestRedeem:
    @pytest.fixture(autouse=True)
    def member(self, tx, now):
        api.earn_for_purchases(
            tx, purchases=[purchase(1, amount=60_000)], programmes=[programme(automatic=True)], now=now
        )

    def redeem(self, tx, now, points, *, key="k1", profile_id=ADA, name="points", reason="mug"):
        return api.redeem(
            tx, profile_id=profile_id, programme=name, points=points, idempotency_key=key, reason=reason, now=now
        )

    def test_answers_with_balance_and_tier(self, tx, now):
        redeemed = self.redeem(tx, now, 250)
        assert (redeemed.balance, redeemed.tier, redeemed.is_duplicate) == (350, "Silver", False)
        member = api.get_member(tx, profile_id=ADA, programme="points")
        assert (member.points, member.qualifying_points, member.last_redemption_at) == (350, 600, now)
        [payload] = published(tx, POINTS_REDEEMED)
        assert (payload["points"], payload["balance"]) == (250, 350)

    def test_answers_the_same_to_the_same_call(self, tx, now):
        first = self.redeem(tx, now, 250)
        self.redeem(tx, now, 1, key="k2")
        again = self.redeem(tx, now + timedelta(days=2), 250)
        assert (again.transfer_id, again.balance, again.is_duplicate) == (first.transfer_id, 349, True)
        assert len(published(tx, POINTS_REDEEMED)) == 2

    def test_refuses_the_key_for_another_request(self, tx, now):
        self.redeem(tx, now, 250)
        with pytest.raises(KeyReused):
            self.redeem(tx, now, 251)
        with pytest.raises(KeyReused):
            self.redeem(tx, now, 250, reason="cap")

    def test_refuses_more_than_there_is(self, tx, now):
        with pytest.raises(InsufficientPoints) as caught:
            self.redeem(tx, now, 601)
        assert caught.value.details["balance"] == 600
        assert self.redeem(tx, now, 600).balance == 0

    @pytest.mark.parametrize("points", [0, -1, AMOUNT_MAX + 1, 2**70])
    def test_refuses_impossible_points(self, tx, now, points):
        with pytest.raises(InvalidRedemption):
            self.redeem(tx, now, points)

    def test_refuses_strangers(self, tx, now):
        with pytest.raises(UnknownMember):
            self.redeem(tx, now, 1, profile_id=EVE)
        with pytest.raises(ProgrammeNotDefined):
            self.redeem(tx, now, 1, name="stars")

    def test_many_get_a_verdict_each(self, tx, now):
        def wish(points, key, profile_id=ADA):
            return Redemption(profile_id=profile_id, programme="points", points=points, idempotency_key=key)

        verdicts = api.redeem_many(
            tx,
            redemptions=[
                wish(400, "a"), wish(400, "b"), wish(400, "a"), wish(5, "a"), wish(5, "c", EVE), wish(0, "d"),
                wish(200, "e"),
            ],
            now=now,
        )  # fmt: skip
        assert [each.status for each in verdicts] == [
            RedemptionStatus.REDEEMED, RedemptionStatus.INSUFFICIENT_POINTS, RedemptionStatus.DUPLICATE,
            RedemptionStatus.KEY_REUSED, RedemptionStatus.UNKNOWN_MEMBER, RedemptionStatus.INVALID,
            RedemptionStatus.REDEEMED,
        ]  # fmt: skip
        assert [each.balance for each in verdicts] == [200, 200, 0, None, None, None, 0]


@pytest.mark.usefixtures("books")
class TestMergeMembers:
    def merge(self, tx, now, *pairs):
        moves = [ProfileMove(loser_profile_id=loser, survivor_profile_id=survivor) for loser, survivor in pairs]
        return api.merge_members(tx, moves=moves, programmes=[POINTS], now=now)

    def earn(self, tx, now, *purchases):
        api.earn_for_purchases(tx, purchases=purchases, programmes=[programme(automatic=True)], now=now)

    def test_points_and_tier_follow_the_person(self, tx, now):
        self.earn(tx, now, purchase(1, ADA, 30_000), purchase(2, BOB, 30_000))
        assert self.merge(tx, now, (ADA, BOB)) == 1
        assert self.merge(tx, now, (ADA, BOB)) == 0
        member = api.get_member(tx, profile_id=BOB, programme="points")
        assert (member.points, member.qualifying_points, member.tier) == (600, 600, "Silver")
        assert api.get_member(tx, profile_id=ADA, programme="points") == member
        [payload] = published(tx, MEMBERS_MERGED)
        assert (payload["profile_id"], payload["points"]) == (str(BOB), 300)

    def test_the_transfer_names_the_member_it_came_from(self, tx, now):
        self.earn(tx, now, purchase(1, ADA, 30_000), purchase(2, BOB, 30_000))
        self.merge(tx, now, (ADA, BOB))
        account_id = api.get_member(tx, profile_id=BOB, programme="points").account_id
        line = ledger.list_entries(tx, account_id=account_id)[0]
        assert (line.kind, line.amount, line.system) == ("merge", 300, "comity")
        assert line.external_id.startswith("member:")

    def test_an_old_id_still_earns_and_spends(self, tx, now):
        self.earn(tx, now, purchase(1, ADA, 30_000), purchase(2, BOB, 30_000))
        first = api.redeem(tx, profile_id=ADA, programme="points", points=100, idempotency_key="k", now=now)
        self.merge(tx, now, (ADA, BOB))
        again = api.redeem(tx, profile_id=ADA, programme="points", points=100, idempotency_key="k", now=now)
        assert (first.balance, again.transfer_id, again.balance) == (200, first.transfer_id, 500)
        self.earn(tx, now, purchase(1, BOB, 30_000), purchase(3, ADA, 10_000))
        assert api.get_member(tx, profile_id=BOB, programme="points").points == 600

    def test_a_survivor_who_was_no_member_becomes_one(self, tx, now):
        self.earn(tx, now, purchase(1, ADA, 30_000))
        assert self.merge(tx, now, (ADA, EVE)) == 1
        member = api.get_member(tx, profile_id=EVE, programme="points")
        assert (member.points, member.enrolled_at) == (300, now)

    def test_a_loser_who_was_no_member_stands_for_the_survivor(self, tx, now):
        self.earn(tx, now, purchase(1, BOB, 30_000))
        assert self.merge(tx, now, (EVE, BOB)) == 0
        self.earn(tx, now, purchase(2, EVE, 10_000))
        assert api.get_member(tx, profile_id=BOB, programme="points").points == 400

    def test_chains_end_at_the_last_survivor(self, tx, now):
        self.earn(tx, now, *[purchase(n, UUID(int=n), 10_000) for n in range(1, 5)])
        self.merge(tx, now, (UUID(int=1), UUID(int=2)))
        self.merge(tx, now, (UUID(int=2), UUID(int=3)), (UUID(int=3), UUID(int=4)))
        found = api.find_members(tx, profile_ids=[UUID(int=n) for n in range(1, 5)])
        assert {(each.profile_id.int, each.points) for [each] in found.values()} == {(4, 400)}
        assert tx.execute("select count(*) from programme.v_member").fetchone() == (1,)

    def test_strangers_merge_without_a_trace(self, tx, now):
        assert self.merge(tx, now, (ADA, BOB)) == 0


def test_merging_while_earning_and_spending_loses_nothing(database, now):
    """Members are held while they earn, spend or merge: nothing lands on an account nobody looks at."""
    auto = programme(automatic=True)
    profiles = [UUID(int=n) for n in range(1, 9)]
    with database.transaction() as tx:
        api.enrol(tx, profile_ids=profiles, programme=auto, now=now)
    barrier, failures, redeemed = Barrier(4), [], []

    def run(work):
        try:
            with database.connect() as connection:
                barrier.wait(timeout=20)
                for step in range(7):
                    with connection.transaction():
                        work(connection, step)
        except Exception as error:  # noqa: BLE001 - reported by the main thread.
            failures.append(error)

    def earn(offset):
        def work(tx, step):
            purchases = [purchase(offset + step * 8 + n, each, 1_000) for n, each in enumerate(profiles)]
            api.earn_for_purchases(tx, purchases=purchases, programmes=[auto], now=now)

        return work

    def spend(tx, step):
        wishes = [
            Redemption(profile_id=each, programme="points", points=3, idempotency_key=f"{step}-{each}")
            for each in reversed(profiles)
        ]
        verdicts = api.redeem_many(tx, redemptions=wishes, now=now)
        redeemed.extend(each for each in verdicts if each.status is RedemptionStatus.REDEEMED)

    def merge(tx, step):
        move = ProfileMove(loser_profile_id=profiles[step], survivor_profile_id=profiles[step + 1])
        api.merge_members(tx, moves=[move], programmes=[auto], now=now)

    threads = [Thread(target=run, args=(work,)) for work in (earn(1), earn(1001), spend, merge)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert failures == []
    with database.transaction() as tx:
        check_books(tx)
        [member] = api.find_members(tx, profile_ids=[profiles[0]])[profiles[0]]
        assert member.profile_id == profiles[-1]
        assert member.points == 2 * 7 * 8 * 10 - 3 * len(redeemed)
        assert member.qualifying_points == 2 * 7 * 8 * 10


def test_totals_come_from_the_entries(tx, now):
    before = api.sum_programmes(tx)
    assert before.trial_balance == 0
    api.earn_for_purchases(
        tx, purchases=[purchase(1), purchase(2, BOB)], programmes=[programme(automatic=True)], now=now
    )
    after = api.sum_programmes(tx)
    assert (after.member_count, after.points_outstanding, after.trial_balance) == (
        before.member_count + 2,
        before.points_outstanding + 200,
        0,
    )
