"""HubSpot over its CRM APIs.

Owns: windowed search polling beyond the 10,000 cap, archived records and merges, batch writes, webhooks v3, properties.
Invariants: a payload is the record's properties with its id, flat; batch answers are matched by trace id and record
id, never by order.
Tables: none.
Place in the flow: opened by `sync` through `connect`.
"""
