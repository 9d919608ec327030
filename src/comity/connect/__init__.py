"""What a connector is written against.

Owns: the connector interface, the values that cross it, and the building blocks (auth, paging, signatures, budgets).
Invariants: one verdict per written item in the order given; a raised error means the whole call failed; a version names
one state of one record, so repeating a read is harmless.
Tables: none; a connector keeps no state but the cursor it hands out.
Place in the flow: under every vendor connector, above the kernel; `sync` calls it, `wiring` names the connectors.
"""
