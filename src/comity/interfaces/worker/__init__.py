"""The background worker: everything that runs without being asked.

Owns: the loops (unify, reactions, and per system pull and delivery) and their threads; the process that maps ahead
of unify, and the thread that writes the values of one batch while the next is identified.
Invariants: a loop that fails waits and goes on; a dead system stops only its own loops; stopping ends every loop.
Tables: none.
Place in the flow: drives it; calls the doors, decides nothing.
"""
