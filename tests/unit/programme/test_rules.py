from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from comity.definitions.types import EarningSpec, ProgrammeSpec, TierLadder, TierLevel
from comity.ledger.types import AMOUNT_MAX
from comity.programme import rules
from comity.programme.types import Redemption

LADDER = TierLadder(
    window_days=365,
    levels=(
        TierLevel(name="Blue", points_from=0),
        TierLevel(name="Silver", points_from=500),
        TierLevel(name="Gold", points_from=1000),
    ),
)
SPEC = ProgrammeSpec(
    title="Points", currency="EUR", earning=EarningSpec(points_per_unit=1, unit_minor=100), tiers=LADDER
)


class TestDays:
    def test_the_day_is_the_programmes(self):
        late = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)
        assert rules.to_local_date(late, "UTC") == date(2026, 3, 28)
        assert rules.to_local_date(late, "Europe/Berlin") == date(2026, 3, 29)
        assert rules.to_local_date(late, "America/New_York") == date(2026, 3, 28)


class TestIsValidRedemption:
    @pytest.mark.parametrize(
        ("points", "key", "reason", "is_valid"),
        [
            (1, "k", "", True),
            (0, "k", "", False),
            (-1, "k", "", False),
            (AMOUNT_MAX + 1, "k", "", False),
            (2**70, "k", "", False),
            (1, "", "", False),
            (1, "k\0", "", False),
            (1, "k", "a\nb", False),
            (1, "k" * 500, "", False),
        ],
    )
    def test_wants_points_and_a_key(self, points, key, reason, is_valid):
        redemption = Redemption(
            profile_id=UUID(int=1), programme="points", points=points, idempotency_key=key, reason=reason
        )
        assert rules.is_valid_redemption(redemption) is is_valid
