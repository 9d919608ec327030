"""What is stale where.

Owns: per system and person the mark that the system may not show the golden state yet, with its lane; per record the
base: what Comity sent and what the system stored of it; dead letters.
Invariants: state, not messages: a person is stale in a system once, however many events made it so; a mark set while
a delivery runs survives it; every mark ends delivered, unchanged, retrying with a time, or parked with a reason.
Tables: outbox.stale, outbox.base.
Place in the flow: after profile and programme, before delivery.
"""
