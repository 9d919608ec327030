"""Points on their way to the systems: earned, and gone when their time is over."""

from datetime import timedelta

import pytest

from tests.scenario.project import SHOP

EXPIRY = "  points: [{name: points, expiry: {kind: rolling, after: {months: 12}}}]\n  earning:"


@pytest.fixture
def shop(stage):
    stage.replace("programme", "  earning:", EXPIRY)
    stage.write(shop=SHOP.format(name="shop", person_system="crm-a", person_stream="Contact"))
    stage.apply()

    def sell(ada, number, total):
        sold_at = stage.clock.now().isoformat()
        stage.push(
            "shop", "order", number, "v1",
            {"number": number, "sold_at": sold_at, "total": total, "currency": "EUR", "customer": ada.ids["crm-a"]},
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
