"""What is stale where.

Owns: the log of what may have to be shown otherwise, which unify and reactions append to; per system and person the
mark that the system may not show the golden state yet, with its lane; per record the base: what Comity sent and what
the system stored of it; dead letters.
Invariants: state, not messages: a person is stale in a system once, however many events made it so; a mark set while
a delivery runs survives it; every mark ends delivered, unchanged, put off to a time, or parked with a reason.
Only the deliveries of a system, under their lease, take the log into its marks.
Tables: outbox.change, outbox.stale, outbox.base, outbox.flight.
Place in the flow: after profile and programme, before delivery.
"""
