"""What came in, as it came in.

Owns: raw changes as received from systems and callers, durable, deduplicated, replayable; items that could not be used.
Invariants: a change is stored before it is acknowledged; one (system, stream, external id, version) is stored once;
a parked item names its reason and stays until it is replayed or discarded by somebody.
Tables: inbox.change, inbox.parked.
Place in the flow: first. Receipt and pulls append, the unify reader works through.
"""
