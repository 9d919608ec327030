"""Salesforce over its REST API.

Owns: SOQL keyset polling with overlap, deletions and merges, collection writes, describe, field creation.
Invariants: writes carry `Sforce-Call-Options: client=...`; errors are told by `errorCode`, since a limit is a 403 here.
Tables: none.
Place in the flow: opened by `sync` through `connect`.
"""
