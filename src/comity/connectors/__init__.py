"""One folder per vendor.

Owns: what is known about each vendor's API, and nothing else.
Invariants: a connector knows `connect` and `kernel` only, and no other connector; only `wiring` names one.
Tables: none.
Place in the flow: `sync` and `systems` work with them through `connect.types.Connector`.
"""
