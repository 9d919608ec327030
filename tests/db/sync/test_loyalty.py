"""Points on their way to the systems: earned, and gone when their time is over."""

from datetime import timedelta

import pytest

from comity.ledger import api as ledger
from comity.ledger.types import NewHold
from comity.programme import api as programme
from comity.sync import api as sync
from comity.sync.types import FieldOutcome
from tests.scenario.project import SHOP

EXPIRY = "  points: [{name: points, expiry: {kind: rolling, after: {months: 12}}}]\n  earning:"

STAY = "  earning_rules: [{name: stay, fixed: 40, pending: {until: stay_completed}}]\n  earning:"


MORE = """    cancelled: {field: status, lens: {enum: {values: {void: void}, unknown: empty}}}
    returns: refund_of
    channel: channel
    events: {stay_completed: stayed_at}
"""


@pytest.fixture
def shop(stage):
    stage.replace("programme", "  earning:", EXPIRY)
    stage.write(shop=SHOP.format(name="shop", person_system="crm-a", person_stream="Contact") + MORE)
    stage.apply()

    def sell(ada, number, total, version="v1", **more):
        sold_at = stage.clock.now().isoformat()
        stage.push(
            "shop", "order", number, version,
            {"number": number, "sold_at": sold_at, "total": total, "currency": "EUR", "customer": ada.ids["crm-a"],
             **more},
        )  # fmt: skip

    return sell


def test_expired_points_leave_every_system(stage, shop, ada):
    shop(ada, "r1", 600)
    stage.settle()
    assert {str(ada.shown(name, "points")).removesuffix(".0") for name in ada.ids} == {"600"}
    assert ada.everywhere("tier") == {"Silver"}
    stage.clock.advance(seconds=timedelta(days=200).total_seconds())
    shop(ada, "r2", 50)
    stage.clock.advance(seconds=timedelta(days=170).total_seconds())
    stage.keep()
    stage.settle()
    assert {str(ada.shown(name, "points")).removesuffix(".0") for name in ada.ids} == {"50"}
    assert ada.everywhere("tier") == {"Blue"}


def test_points_come_with_the_event_they_wait_for(stage, shop, ada):
    stage.replace("programme", "  earning:", STAY)
    stage.apply()
    shop(ada, "r1", 600)
    stage.settle()
    assert {str(ada.shown(name, "points")).removesuffix(".0") for name in ada.ids} == {"600"}
    shop(ada, "r1", 600, "v2", stayed_at=stage.clock.now().isoformat())
    stage.settle()
    assert {str(ada.shown(name, "points")).removesuffix(".0") for name in ada.ids} == {"640"}


def test_the_last_redemption_reaches_every_system(stage, shop, ada):
    """Systems that keep seconds, milliseconds or days agree with it: each is written once."""
    for name, points, last in (
        ("crm-a", "Points_Balance__c", "{field: Last_Redemption__c, lens: {timestamp: {format: salesforce}}"),
        ("crm-b", "Points_Balance__c", "{field: Last_Redemption__c, lens: date"),
        ("crm-c", "points_balance", "{field: last_redemption, lens: timestamp"),
    ):
        row = f"    - {{attribute: loyalty.last_redemption_at, {last[1:]}, direction: write}}\n"
        before = f"    - {{attribute: loyalty.points, field: {points}"
        stage.replace(f"mapping-{name}", before, row + before)
    stage.apply()
    for name in ada.ids:
        wanted = sync.plan_fields(stage.interrupt(name).inner, system=name, runtime=stage.hub.get_runtime())
        made = sync.create_fields(stage.interrupt(name).inner, fields=wanted)
        assert [(each.outcome, wanted[0].label) for each in made] == [(FieldOutcome.CREATED, "Last redemption")]

    def shown():
        stage.settle()
        [contact] = stage.systems["crm-c"].find("contacts", "hs_object_id", ada.ids["crm-c"])
        [first], [second] = (stage.systems[each].find("Contact", "Id", ada.ids[each]) for each in ("crm-a", "crm-b"))
        return first.get("Last_Redemption__c"), second.get("Last_Redemption__c"), contact.get("last_redemption")

    shop(ada, "r1", 600)
    assert shown() == (None, None, None), "who never redeemed has no last redemption"
    [(profile_id,)] = stage.query("select profile_id from programme.v_member")
    redeemed = []
    for key in ("mug", "cup"):
        stage.clock.advance(seconds=86_400.75)
        redeemed.append(stage.clock.now())
        writes = stage.writes()
        with stage.database.transaction() as tx:
            programme.redeem(
                tx, profile_id=profile_id, programme="points", points=50, idempotency_key=key, now=redeemed[-1]
            )
        told = redeemed[-1].isoformat(timespec="seconds").removesuffix("+00:00")
        assert shown() == (f"{told}.000+0000", told[:10], f"{told}.000Z")
        assert {name: count - writes[name] for name, count in stage.writes().items()} == dict.fromkeys(writes, 1)
    assert redeemed[0].date() < redeemed[1].date()


def test_a_hold_ends_with_its_deadline_and_the_books_are_sealed(stage, shop, ada):
    """The housekeeping does both; every system is told of the points that can be spent again."""
    shop(ada, "r1", 600)
    stage.settle()
    now = stage.clock.now()
    with stage.database.transaction() as tx:
        [(account_id, programme)] = tx.execute("select account_id, programme from programme.v_member").fetchall()
        wish = NewHold(
            idempotency_key="h", account_id=account_id, amount=250, deadline_at=now + timedelta(minutes=5),
            effective_on=now.date(), system="till", external_id="1",
        )  # fmt: skip
        hold_id = ledger.reserve(tx, holds=[wish], now=now)[0].transfer_id
        assert ledger.get_balances(tx, account_ids=[account_id]) == [350]
    stage.clock.advance(seconds=240)
    stage.keep()
    with stage.database.transaction() as tx:
        assert ledger.get_balances(tx, account_ids=[account_id]) == [350]
    stage.clock.advance(seconds=61)
    stage.keep()
    stage.clock.advance(seconds=61)
    stage.keep()
    with stage.database.transaction() as tx:
        assert ledger.get_balances(tx, account_ids=[account_id]) == [600]
        proof = ledger.verify(tx)
        assert (proof.problems, proof.unsealed_count, proof.transfer_count) == ([], 0, 3)
        [told] = tx.execute(
            "select payload - 'profile_id' from kernel.event where kind = 'programme.hold_timed_out'"
        ).fetchall()
        assert told == ({"programme": programme, "kind": "points", "hold_id": hold_id, "points": 250},)


def test_pending_points_reach_the_systems_when_they_can_be_spent(stage, shop, ada):
    stage.replace("programme", "name: points, expiry", "name: points, pending: {days: 14}, expiry")
    stage.apply()
    shop(ada, "r1", 600)
    stage.keep()
    stage.settle()
    assert {str(ada.shown(name, "points")).removesuffix(".0") for name in ada.ids} == {"0"}
    assert ada.everywhere("tier") == {"Silver"}
    stage.clock.advance(seconds=timedelta(days=14).total_seconds())
    stage.keep()
    stage.settle()
    assert {str(ada.shown(name, "points")).removesuffix(".0") for name in ada.ids} == {"600"}


def test_returns_corrections_and_cancellations_reach_every_system(stage, shop, ada):
    def shown():
        stage.settle()
        [points] = {str(ada.shown(name, "points")).removesuffix(".0") for name in ada.ids}
        return int(points), *ada.everywhere("tier")

    shop(ada, "b1", -100, refund_of="r1")
    shop(ada, "r1", 600)
    shop(ada, "r2", 40)
    assert shown() == (540, "Silver")
    shop(ada, "r1", 580, version="v2", status="paid")
    shop(ada, "r2", 40, version="v2", status="void")
    assert shown() == (480, "Blue")
    shop(ada, "b1", -100, version="v2", refund_of="r1", status="void")
    assert shown() == (580, "Silver")
