"""Who may call.

Owns: API keys (prefix, hash, scopes, expiry).
Invariants: a key is shown once and stored as a hash; an expired or revoked key opens nothing.
Tables: access.api_key.
Place in the flow: beside the edges; the interfaces ask here who is calling.
"""
