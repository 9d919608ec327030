"""The first read of a stream: before it is through, nobody knows who has a record there.

Until then nobody gets one from us; then everybody is compared once more, and who has none gets one.
"""

from comity.inbox import api as inbox
from comity.kernel import readers
from comity.kernel.database import Tx
from comity.outbox import api as outbox
from comity.sync.runtime import Runtime
from comity.sync.unify import READER
from comity.systems import api as systems


def list_unsettled(tx: Tx, *, system: str, runtime: Runtime) -> set[str]:
    """Return the streams of people in a system that wait for the end of their first read before anybody is created.

    Streams that are never read, since the system pushes what happens, wait for nothing.
    """
    if not runtime.creates_in(system):
        return set()
    settled = {each.stream for each in systems.list_cursors(tx) if each.system == system and each.is_settled}
    cadences = runtime.systems[system].streams
    return {
        stream.spec.stream
        for stream in runtime.written_streams(system)
        if stream.is_person and (cadence := cadences.get(stream.spec.stream)) is not None
        if cadence.every is not None and stream.spec.stream not in settled
    }


def settle_first_reads(tx: Tx, *, system: str, runtime: Runtime) -> None:
    """Let people be created in streams whose first read has been unified; call it under the lease of deliveries."""
    waiting = list_unsettled(tx, system=system, runtime=runtime)
    if not waiting:
        return
    position = readers.peek_position(tx, name=READER)
    settled = [
        cursor.stream
        for cursor in systems.list_cursors(tx)
        if cursor.system == system and cursor.stream in waiting and cursor.whole_xid is not None
        if not inbox.has_unread_of(
            tx, system=system, stream=cursor.stream, until_xid=cursor.whole_xid, position=position
        )
    ]
    for stream in settled:
        systems.settle_cursor(tx, system=system, stream=stream)
    if settled:
        outbox.mark_everybody(tx, systems=[system])
