"""Redeeming over HTTP, one redemption a request, 64 connections, against TPC-B of pgbench on the same server.

The real web process on a fresh embedded database: key checked, posted with its lots, committed before the answer 201,
which holds balance and tier. 100,000 members of one programme; the same people in a hundred programmes of 1,000 members
each; and everything on one member.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from uuid import UUID

import msgspec

from bench.hub import open_hub
from bench.load import MEMBERS_APART, Outcome, global_id_of
from bench.report import Options, Row, Wanted, compare, read_options, say, show, take_turns
from bench.server import Pgbench, open_server
from bench.web import Web, serve
from comity.definitions.types import ProgrammeSpec
from comity.kernel.database import Tx
from comity.ledger import api as ledger
from comity.ledger.types import Posting, Terms
from comity.programme import api as programme
from comity.programme.types import Programme
from comity.wiring import Hub

TITLE = "redeem"
CONNECTIONS = 64
BATCH_MEMBERS = 1_000
LOTS = 3
POINTS = 1_000
WHALE_POINTS = 1_000_000
ONE = "points"
APART = "points-"


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How much is done."""

    members: int
    scale: int
    seconds: int
    repeats: int


FULL = Size(members=100_000, scale=50, seconds=6, repeats=5)
QUICK = Size(members=5_000, scale=10, seconds=2, repeats=2)


class Spending:
    """Redemptions sent to the web process, and what came back."""

    def __init__(self, web: Web) -> None:
        """Take where to send them."""
        self._web = web
        self.outcomes: dict[str, list[Outcome]] = {}
        self.redeemed = 0

    def run(self, name: str, *, spend: str, members: int, seconds: float) -> float:
        """Return redemptions a second."""
        outcome = self._web.run(seconds=seconds, connections=CONNECTIONS, spend=spend, members=members)
        self.outcomes.setdefault(name, []).append(outcome)
        self.redeemed += outcome.accepted
        return outcome.accepted / outcome.seconds


def fill(hub: Hub, *, members: int) -> None:
    """Make members with points: all of them in one programme, and each in one of several."""
    for start in range(0, members, BATCH_MEMBERS):
        profile_ids = [UUID(global_id_of(number)) for number in range(start, min(start + BATCH_MEMBERS, members))]
        for name in (ONE, f"{APART}{start // MEMBERS_APART}"):
            with hub.database.transaction() as tx:
                _enrol(tx, hub, name=name, profile_ids=profile_ids, is_first=start == 0)


def _enrol(tx: Tx, hub: Hub, *, name: str, profile_ids: list[UUID], is_first: bool) -> None:
    now = hub.clock.now()
    spec = Programme(name=name, spec=ProgrammeSpec(title="Points", currency="EUR"))
    programme.enrol(tx, profile_ids=profile_ids, programme=spec, now=now)
    source = programme.open_programme(tx, programme=spec, now=now).account_id
    found = programme.find_members(tx, profile_ids=profile_ids, programme=name)
    accounts = [found[profile_id][0].account_id for profile_id in profile_ids]
    postings = list(_accruals(accounts, source=source, today=now.date(), is_first=is_first))
    verdicts = ledger.post(tx, postings=postings, now=now)
    if not all(each.is_booked for each in verdicts):
        raise RuntimeError("Points could not be given.")


def _accruals(accounts: list[int], *, source: int, today: date, is_first: bool) -> Iterator[Posting]:
    for place, account_id in enumerate(accounts):
        for lot in range(LOTS):
            yield Posting(
                idempotency_key=f"gift:{account_id}:{lot}",
                debit_account_id=source,
                credit_account_id=account_id,
                amount=WHALE_POINTS if is_first and place == 0 else POINTS,
                kind="earn",
                effective_on=today,
                system="bench",
                external_id=f"{account_id}",
                terms=Terms(expires_on=today + timedelta(days=365 + lot)),
            )


def check(hub: Hub, redeemed: int) -> None:
    """Make sure that every redemption answered with 201 is in the books, once, and that they balance."""
    with hub.database.transaction() as tx:
        row = tx.execute("select count(*) from ledger.transfer where kind = 'redeem'").fetchone()
        totals = programme.sum_programmes(tx)
        astray = ledger.find_imbalance(tx)
    booked = row[0] if row else 0
    if booked != redeemed or totals.trial_balance or astray:
        raise RuntimeError(
            f"{redeemed} redemptions were answered, {booked} are in the books; trial balance {totals.trial_balance}, "
            f"{len(astray)} accounts astray."
        )


def measure(options: Options) -> list[Row]:
    """Measure and return the rows."""
    size = QUICK if options.is_quick else FULL
    with open_server() as server, open_hub(server, match="guarded") as hub:
        say(f"{size.members:,} members, pgbench at scale {size.scale}")
        fill(hub, members=size.members)
        server.vacuum()
        pgbench = Pgbench(server, scale=size.scale)
        with serve(server, hub) as web:
            spending = Spending(web)
            spending.run("warm", spend=ONE, members=size.members, seconds=2)
            cases = {"one": (ONE, size.members), "apart": (APART, size.members), "whale": (ONE, 1)}
            figures = take_turns(
                {
                    "TPC-B": lambda: pgbench.run_tpcb(size.seconds),
                    **{
                        name: lambda name=name, case=case: spending.run(
                            name, spend=case[0], members=case[1], seconds=size.seconds
                        )
                        for name, case in cases.items()
                    },
                },
                repeats=size.repeats,
            )
        check(hub, spending.redeemed)
        say(f"{spending.redeemed:,} redemptions answered with 201, all of them in the books")
    return _tell(figures, spending.outcomes, members=size.members)


def _tell(figures: dict[str, list[float]], outcomes: dict[str, list[Outcome]], *, members: int) -> list[Row]:
    limits, limit_name = figures["TPC-B"], "pgbench TPC-B, 8 clients"
    return [
        compare(
            f"{CONNECTIONS} connections, {members:,} members of one programme",
            figures["one"],
            unit="redemptions/s",
            limits=limits,
            limit_name=limit_name,
            wanted=Wanted(ratio_min=0.5),
        ),
        compare("the same, p50", [each.p50 for each in outcomes["one"]], unit="ms"),
        compare("the same, p99", [each.p99 for each in outcomes["one"]], unit="ms", wanted=Wanted(value_max=100)),
        compare(
            "one programme, against the same members in many",
            figures["one"],
            unit="redemptions/s",
            limits=figures["apart"],
            limit_name=f"programmes of {MEMBERS_APART:,} members",
            wanted=Wanted(ratio_min=0.8),
        ),
        compare(
            "everything on one member",
            figures["whale"],
            unit="redemptions/s",
            limits=limits,
            limit_name=limit_name,
            wanted=Wanted(value_min=400),
        ),
        compare("the same, p99", [each.p99 for each in outcomes["whale"]], unit="ms"),
    ]


if __name__ == "__main__":
    given = read_options(__doc__ or TITLE)
    show(TITLE, measure(given), options=given)
