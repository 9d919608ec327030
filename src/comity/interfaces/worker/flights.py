"""Batches of unify on their way at the same time, and the two batons they pass on.

One batch at a time is identified and one at a time writes its values, both in the order of the inbox; reading, mapping
and recalling go on beside that. A batch that cannot part does all at once when those before it have ended.
"""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

from comity.identity.types import Touched
from comity.interfaces.worker.lane import Heading, Lane
from comity.interfaces.worker.lanes import Hand
from comity.kernel.clock import Clock
from comity.kernel.leases import Lease
from comity.kernel.readers import Position

TURNS_KEPT = 8
"""A batch is recalled as many turns ahead as there are hands, at most."""


class Flight:
    """One batch: the hand that has it, and how far it is."""

    def __init__(self, hand: Hand, read: Future[Heading]) -> None:
        """It is being read."""
        self.hand = hand
        self.read = read
        self.identified: Future[Touched] | None = None
        self.written: Future[None] | None = None

    @property
    def latest(self) -> Future[Any]:
        """The step that was begun last."""
        return self.written or self.identified or self.read

    @property
    def revision(self) -> int:
        """The definitions it was mapped by, once it has been read. Batches by others are never at work side by side."""
        return self.read.result().revision

    @property
    def is_identified(self) -> bool:
        """True when the next batch may be."""
        return _is_done(self.identified or self.written)


class Flights:
    """What is on its way, first batch first; nothing at first."""

    def __init__(self, clock: Clock) -> None:
        """Nothing is on its way; `clock` tells when a step began."""
        self._clock = clock
        self._flights: deque[Flight] = deque()
        self._hands: Sequence[Hand] = ()
        self._count_max = 0
        self._is_open = False
        self._trail: deque[Touched] = deque(maxlen=TURNS_KEPT)

    def __len__(self) -> int:
        """Count the batches."""
        return len(self._flights)

    def start(self, hands: Sequence[Hand], position: Position, *, count_max: int) -> None:
        """Begin with the batch after a place; there must be none on its way. A batch of fewer changes is the last."""
        self._hands = hands
        self._count_max = count_max
        self._is_open = True
        self._begin(position)

    def follow(self, hands: Sequence[Hand]) -> None:
        """Begin no more batches unless these are the hands at work."""
        self._is_open = hands is self._hands

    def finish_first(self, lease: Lease) -> bool:
        """Bring the first batch to its end and the others on their way; False where it is not a full one.

        Raises what the first batch failed with.
        """
        while True:
            self._push(lease)
            first = self._flights[0]
            if first.latest.done():
                first.latest.result()
                if first.written is not None:
                    self._leave_behind(self._flights.popleft())
                    return True
                if not self._is_full(first):
                    return False
            wait([each.latest for each in self._flights if not each.latest.done()], return_when=FIRST_COMPLETED)

    def abandon(self) -> None:
        """Wait for the steps under way, whatever comes of them, and forget all batches."""
        wait([each.latest for each in self._flights])
        self._flights.clear()
        self._trail.clear()

    def _push(self, lease: Lease) -> None:
        """Begin every step that may begin."""
        before: Flight | None = None
        for each in self._flights:
            if each.identified is None and each.written is None and self._is_full(each):
                if not each.read.result().can_part:
                    if before is None:
                        each.written = each.hand.begin(Lane.apply, lease, self._clock.now())
                elif before is None or (before.is_identified and before.revision == each.revision):
                    trail = self._trail_for(each)
                    each.identified = each.hand.begin(Lane.identify, lease, trail, self._clock.now())
            elif before is None and each.written is None and _is_done(each.identified):
                each.written = each.hand.begin(Lane.write, lease, self._clock.now())
            before = each
        last = self._flights[-1]
        if self._is_open and len(self._flights) < len(self._hands) and self._is_full(last):
            self._begin(last.read.result().end)

    def _begin(self, position: Position) -> None:
        busy = [each.hand for each in self._flights]
        hand = next(each for each in self._hands if each not in busy)
        self._flights.append(Flight(hand, hand.begin(Lane.read, position, self._count_max)))

    def _is_full(self, flight: Flight) -> bool:
        return _is_done(flight.read) and flight.read.result().count >= self._count_max

    def _trail_for(self, flight: Flight) -> list[Touched]:
        """Return what the turns touched since a batch was recalled."""
        turn = flight.read.result().turn or 0
        ahead = [each.identified.result() for each in self._flights if each.identified and _is_done(each.identified)]
        return [each for each in (*self._trail, *ahead) if each.turn > turn]

    def _leave_behind(self, flight: Flight) -> None:
        if flight.identified is not None:
            self._trail.append(flight.identified.result())


def _is_done(step: Future[Any] | None) -> bool:
    """True when a step was begun and has ended well."""
    return step is not None and step.done() and step.exception() is None
