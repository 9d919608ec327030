"""Records of a system to canonical values, and back.

Owns: the lenses, mapping specifications compiled from definitions, the readable specification document.
Invariants: pure (no table, clock or network); every lens keeps its round-trip law `read(write(v)) == v`; one bad value
is a problem of its own record, never of its neighbours; a field the payload does not contain is ABSENT, which is not
the same as empty.
Tables: none.
Place in the flow: between the inbox (payloads as received) and identity and profile (canonical values); delivery uses
the same mapping the other way round.
"""
