"""The edges of the flow, and the two steps that make it flow.

Owns: reading from systems (pull, webhook receipt, hints), unify (inbox to profiles, activity and stale marks),
delivery (desired state into systems), taking new definitions over.
Invariants: a cursor moves with its page, a reader with its effects; no transaction is held over a remote call; what a
system holds is taken in before Comity writes over it; every written record gets a verdict.
Tables: sync.hint, sync.merge, sync.run.
Place in the flow: first and last; everything between is called from here.
"""
