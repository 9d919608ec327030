"""A programme of its own with a pool, and all that can be done with it; for tests that do it at bad moments."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

import msgspec

from comity.activity import api as activity
from comity.activity.types import ProfileMove, PurchaseFact, RecordReference, ReturnFact
from comity.definitions.types import ProgrammeSpec
from comity.kernel.events import Event
from comity.programme import api, parting, readers
from comity.programme.pools import PoolChanged, PoolRefused, PoolSpending, PoolWish
from comity.programme.types import POINTS_EARNED, InsufficientPoints, Programme

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
SPEC = {
    "title": "Club", "currency": "EUR", "timezone": "UTC",
    "points": [{"name": "p", "expiry": {"kind": "sliding", "after": {"days": 20}}}],
    "earning_rules": [{"name": "base", "rate": {"points": 1, "per_minor": 100}}],
    "pools": {"contribution_percent": 50, "pools_max": 2}, "returns": {"policy": "allow_negative"},
}  # fmt: skip
PEOPLE = ("ada", "bob", "cy", "eve")


class World:
    """Ada and Bob are in a pool; Ada and Cy were merged before two of her purchases; Eve is in no pool."""

    def __init__(self, tx, name):
        self.name, self.count = name, 0
        self.club = Programme(name=name, spec=msgspec.convert(SPEC, ProgrammeSpec))
        self.programmes = {name: self.club}
        self.people = {each: uuid5(UUID(int=0), f"{name}-{each}") for each in PEOPLE}
        for each, profile_id in self.people.items():
            tx.execute("insert into identity.profile values (%s, 1, null, now())", [profile_id])
            tx.execute(
                "insert into identity.record (system, stream, external_id, profile_id, linked_at, rule, match_hash, "
                "features) values ('crm', 'Contact', %s, %s, now(), 'founded', 0, '{}')",
                [f"{name}-{each}", profile_id],
            )
            api.enrol(tx, profile_ids=[profile_id], programme=self.club, now=NOW)
        wish = PoolWish(profile_id=self.people["ada"], programme=name, idempotency_key=f"{name}-open")
        self.pool_id = api.open_pool(tx, wish=wish, programme=self.club, now=NOW).pool_id
        self.change(tx, api.join_pool, "bob")
        self.merge(tx)
        for number, who in enumerate(("ada", "cy", "bob")):
            self.buy(tx, who, 40 + 20 * number)
            self.collect(tx)
        self.late = self.buy(tx, "bob", 30)

    def change(self, tx, verb, who):
        return self.ask(
            lambda: verb(tx, pool_id=self.pool_id, profile_id=self.people[who], programmes=self.programmes, now=NOW)
        )

    @staticmethod
    def ask(work):
        """Do what others may have made impossible meanwhile."""
        try:
            return work()
        except (InsufficientPoints, PoolRefused, PoolChanged):
            return None

    def living(self, tx, who):
        return tx.execute(
            "select profile_id from identity.record where external_id = %s", [f"{self.name}-{who}"]
        ).fetchone()[0]

    def buy(self, tx, who, points):
        self.count += 1
        key = f"{self.name}-{self.count}"
        fact = PurchaseFact(
            system="shop", stream="Order", external_id=key, business_key=key, occurred_at=NOW,
            amount_minor=points * 100, currency="EUR",
            person=RecordReference(system="crm", stream="Contact", external_id=f"{self.name}-{who}"),
        )  # fmt: skip
        activity.accept_purchases(tx, purchases=[fact], profile_ids=[self.living(tx, who)], now=NOW)
        self.listen(tx)
        return tx.execute("select purchase_id from activity.purchase where business_key = %s", [key]).fetchone()[0]

    def listen(self, tx):
        row = tx.execute(
            "select kind, payload from kernel.event where kind like 'activity.%' order by event_id desc limit 1"
        ).fetchone()
        event = Event(event_id=1, xid=1, kind=row[0], payload=row[1], occurred_at=NOW)
        readers.handle_events(tx, events=[event], programmes=[self.club], now=NOW)

    def purchases(self, tx):
        rows = tx.execute("select purchase_id from programme.earning where programme = %s order by 1", [self.name])
        return [row[0] for row in rows.fetchall()]

    def collect(self, tx):
        events = [
            Event(
                event_id=1, xid=1, kind=POINTS_EARNED, payload={"purchase_id": each, "programme": self.name},
                occurred_at=NOW,
            )
            for each in self.purchases(tx)
        ]  # fmt: skip
        return api.collect_in_pools(tx, events=events, programmes=[self.club], now=NOW)

    def draw(self, tx, points=70):
        wish = PoolSpending(
            pool_id=self.pool_id, profile_id=self.people["bob"], points=points, idempotency_key=f"{self.name}-draw"
        )
        return self.ask(lambda: api.redeem_from_pool(tx, wish=wish, programmes=self.programmes, now=NOW))

    def open(self, tx):
        wish = PoolWish(profile_id=self.people["eve"], programme=self.name, idempotency_key=f"{self.name}-new")
        return api.open_pool(tx, wish=wish, programme=self.club, now=NOW)

    def join(self, tx):
        return self.change(tx, api.join_pool, "eve")

    def leave(self, tx):
        return self.change(tx, api.leave_pool, "ada")

    def leave_last(self, tx):
        return self.change(tx, api.leave_pool, "bob")

    def end(self, tx):
        who = self.people["ada"]
        return self.ask(lambda: api.end_pool(tx, pool_id=self.pool_id, profile_id=who, now=NOW))

    def take_back(self, tx):
        """What Cy bought, whom Ada stands for, comes back, and what Ada bought."""
        keys = [f"{self.name}-{number}" for number in (1, 2)]
        for key in keys:
            fact = ReturnFact(
                system="shop", stream="Refund", external_id=key, purchase_key=key, business_key=f"back-{key}",
                occurred_at=NOW, amount_minor=3_900, currency="EUR",
            )  # fmt: skip
            activity.accept_returns(tx, returns=[fact], now=NOW)
        rows = tx.execute("select purchase_id from activity.purchase where business_key = any(%s)", [keys]).fetchall()
        purchase_ids = sorted(row[0] for row in rows)
        return api.follow_purchases(tx, purchase_ids=purchase_ids, programmes=[self.club], now=NOW)

    def slide(self, tx):
        now = NOW + timedelta(days=5)
        tx.execute("update programme.member set last_redemption_at = %s where programme = %s", [now, self.name])
        return api.expire_points(tx, programme=self.club, now=now)

    def expire(self, tx):
        tx.execute("update programme.programme set slid_on = 'infinity' where programme = %s", [self.name])
        return api.expire_points(tx, programme=self.club, now=NOW + timedelta(days=25))

    def give(self, tx, who, leader):
        merged = None if who == leader else self.people[leader]
        profile_id = self.people[who]
        tx.execute("update identity.profile set merged_into = %s where profile_id = %s", [merged, profile_id])
        rows = tx.execute(
            "update identity.record set profile_id = %s where external_id = %s returning record_id",
            [self.people[leader], f"{self.name}-{who}"],
        ).fetchall()
        activity.follow_records(tx, record_ids=[row[0] for row in rows])

    def merge(self, tx):
        self.give(tx, "cy", "ada")
        moves = [ProfileMove(loser_profile_id=self.people["cy"], survivor_profile_id=self.people["ada"])]
        return api.merge_members(tx, moves=moves, programmes=[self.club], now=NOW)

    def part(self, tx):
        self.give(tx, "cy", "cy")
        return parting.part_members(tx, profile_ids=[self.people["cy"]], programmes=[self.club], now=NOW)

    def picture(self, tx):
        """Everything the books and the pools say, in words that do not depend on numbers drawn."""
        labels = {
            account_id: f"{kind}{rank}"
            for account_id, kind, rank in tx.execute(
                "select account_id, kind, rank() over (partition by kind order by account_id) from ledger.account "
                "where unit = %s",
                [self.name],
            ).fetchall()
        }
        numbers = {}
        lines = []
        for number, *rest, debit, credit, reverses in tx.execute(
            "select transfer_id, kind, amount, reason, effective_on, debit_account_id, credit_account_id, "
            "reverses_transfer_id from ledger.transfer where debit_account_id = any(%s) order by transfer_id",
            [list(labels)],
        ).fetchall():
            numbers[number] = len(numbers)
            lines.append((*rest, labels[debit], labels[credit], numbers.get(reverses)))
        held = tx.execute(
            "select account_id, lot_id, rest, expires_on from ledger.holding where account_id = any(%s)", [list(labels)]
        ).fetchall()
        seats = tx.execute(
            "select j.left_at is null, m.profile_id from programme.pool_member j join programme.member m "
            "using (member_id) join programme.pool p using (pool_id) where p.programme = %s order by j.pool_member_id",
            [self.name],
        ).fetchall()
        shares = tx.execute(
            "select lot_id, points from programme.pool_share where programme = %s order by lot_id", [self.name]
        ).fetchall()
        names = {profile_id: each for each, profile_id in self.people.items()}
        return (
            lines,
            sorted((labels[each[0]], numbers[each[1]], *each[2:]) for each in held),
            [(is_in, names[profile_id]) for is_in, profile_id in seats],
            [(numbers[lot_id], points) for lot_id, points in shares],
        )
