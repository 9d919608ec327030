"""The background worker: everything that runs without being asked.

Owns: the loops (unify, reactions, and per system pull and delivery) and their threads; the lanes in which batches of
unify go side by side, on threads or in processes of their own.
Invariants: a loop that fails waits and goes on; a dead system stops only its own loops; stopping ends every loop.
Tables: none.
Place in the flow: drives it; calls the doors, decides nothing.
"""
