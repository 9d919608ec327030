"""The REST API, webhook receipt and the status page.

Owns: routes under /v1, /hooks, /metrics and /; the edge with group commit for the hot routes.
Invariants: an answer 202 goes out after the commit that holds the event; every error is problem+json.
Tables: none.
Place in the flow: in from callers and systems, to the doors.
"""
