"""Any system with a JSON interface, described entirely in its definition.

Owns: turning declared requests, paths and shapes into reads, writes and webhooks.
Invariants: no code is evaluated; every template names only what is known at its place, checked when opened.
Tables: none.
Place in the flow: opened by `sync` through `connect`.
"""
