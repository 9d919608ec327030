"""What the interfaces share.

Owns: the one table from kinds of errors to HTTP statuses and exit codes.
Invariants: no other file knows a status.
Tables: none.
Place in the flow: under the interfaces, above wiring.
"""
