"""Simulations over the stored history: read by COPY, member by member, on as many processes as are wanted.

Nothing is written. The processes see one snapshot of the database, so that nobody is counted twice or left out who is
merged meanwhile.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from datetime import datetime
from multiprocessing import get_context
from queue import Empty
from typing import Any
from uuid import UUID

import msgspec

from comity.kernel.database import Database, Tx, export_snapshot
from comity.programme import store_history as store
from comity.programme.engine import facts
from comity.programme.history import to_facts
from comity.programme.simulating import Deed, Tryout
from comity.programme.simulating_sums import Part, add_parts, asks_members, asks_visits, shares_budgets
from comity.programme.simulating_types import History, Simulation, Trial
from comity.programme.stands import PurchaseState

Told = Callable[[int], None]
"""Called now and then with the number of purchases that were gone through since the last time."""

POLL_SECONDS = 0.2
TELL_EVERY = 5_000


def count_history(tx: Tx, *, history: History) -> int:
    """Return how many purchases there are to go through, about."""
    return store.count_history(tx, until=history.until) // (history.sample_of * history.parts)


def simulate(tx: Tx, *, trial: Trial, history: History, told: Told = lambda _: None) -> Simulation:
    """Go through the history in this process and return what both versions come to."""
    return add_parts(
        [simulate_part(tx, trial=trial, history=history, told=told)], trial=trial, sample_of=history.sample_of
    )


def simulate_on_processes(
    database: Database, *, trial: Trial, history: History, processes: int, told: Told = lambda _: None
) -> Simulation:
    """Go through the history on several processes, each with its part of the members, all in one snapshot.

    Members who share budgets go together, in this process.
    """
    if shares_budgets(trial):
        with database.transaction() as tx:
            return simulate(tx, trial=trial, history=history, told=told)
    context = get_context("spawn")  # A process with threads and open connections must not be forked.
    counts: Any = context.Queue()
    with database.transaction() as tx:
        jobs = [
            _Job(
                dsn=database.dsn,
                snapshot=export_snapshot(tx),
                trial=trial,
                history=msgspec.structs.replace(history, part=part, parts=processes),
            )
            for part in range(processes)
        ]
        with ProcessPoolExecutor(processes, mp_context=context, initializer=_begin, initargs=(counts,)) as pool:
            running = [pool.submit(_work, job) for job in jobs]
            try:
                for count in _watch(running, counts):
                    told(count)
                    store.keep_awake(tx)
            finally:
                for each in running:
                    each.cancel()
    return add_parts([each.result() for each in running], trial=trial, sample_of=history.sample_of)


class _Job(msgspec.Struct, frozen=True, kw_only=True):
    """What one process does."""

    dsn: str
    snapshot: str
    trial: Trial
    history: History


_counts: Any = None


def _begin(counts: Any) -> None:
    global _counts  # noqa: PLW0603 - the one thing a process of the pool is given before its work.
    _counts = counts


def _work(job: _Job) -> Part:
    database = Database(dsn=job.dsn, pool_size_max=1)
    try:
        with database.read(snapshot=job.snapshot) as tx:
            return simulate_part(tx, trial=job.trial, history=job.history, told=_counts.put)
    finally:
        database.close()


def _watch(running: Iterable[Future[Part]], counts: Any) -> Iterator[int]:
    """Yield what the processes tell until all have ended; an error of one of them is raised."""
    waiting = set(running)
    while waiting:
        done, waiting = wait(waiting, timeout=POLL_SECONDS)
        for each in done:
            each.result()
        yield _drain(counts)


def _drain(counts: Any) -> int:
    total = 0
    while True:
        try:
            total += counts.get_nowait()
        except Empty:
            return total


def simulate_part(tx: Tx, *, trial: Trial, history: History, told: Told = lambda _: None) -> Part:
    """Go through the history of a part of the members; those who share budgets are held in memory all at once."""
    tryout = Tryout(trial, sample_of=history.sample_of)
    said = 0
    rows = store.copy_history(tx, history=history, asks_members=asks_members(trial), asks_visits=asks_visits(trial))
    members = read_members(rows)
    if shares_budgets(trial):
        tryout.take_together(members)
        members = iter(())
    for profile_id, deeds in members:
        tryout.take_member(profile_id, deeds)
        if tryout.purchase_count >= said + TELL_EVERY:
            told(tryout.purchase_count - said)
            said = tryout.purchase_count
    told(tryout.purchase_count - said)
    return tryout.finish()


def read_members(rows: Iterable[store.HistoryRow]) -> Iterator[tuple[UUID, list[Deed]]]:
    """Turn rows, which come member by member, into what each member did."""
    current, deeds = "", list[Deed]()
    for profile_id, purchase_id, happened_at, amount, currency, was_member, details, returns, events, kind in rows:
        if profile_id != current:
            if deeds:
                yield UUID(current), deeds
            current, deeds = profile_id, []
        purchase = facts.Purchase(
            purchase_id=purchase_id or "",
            occurred_at=datetime.fromisoformat(happened_at),
            amount_minor=int(amount) if purchase_id else 0,
            currency=currency,
        )
        if details or returns or events:
            purchase = _tell_whole(purchase, details, returns, events)
        points = 0 if purchase_id else int(amount)
        adjusted = -points if currency == store.BY_HAND else 0
        redeemed = 0 if adjusted else points
        is_member = was_member == "t"
        deeds.append(Deed(purchase=purchase, redeemed=redeemed, adjusted=adjusted, kind=kind, was_member=is_member))
    if deeds:
        yield UUID(current), deeds


def _tell_whole(
    purchase: facts.Purchase, details: str | None, returns: str | None, events: str | None
) -> facts.Purchase:
    """Tell a purchase with its lines, and all that came of it since, as the hub tells it to the engine."""
    state = PurchaseState(
        purchase_id=int(purchase.purchase_id),
        occurred_at=purchase.occurred_at,
        amount_minor=purchase.amount_minor,
        currency=purchase.currency,
        is_cancelled=False,
        details=msgspec.json.decode(details) if details else None,
        system="",
        external_id="",
        returns=msgspec.json.decode(returns) if returns else [],
        events=msgspec.json.decode(events) if events else {},
    )
    return to_facts(state) if abs(state.amount_minor) <= facts.AMOUNT_MAX else purchase
