"""The ways in: REST, command line, background worker.

Owns: nothing but translation: parse, call a door, render.
Invariants: no logic, no SQL; interfaces do not know each other, they share `interfaces.shared`.
Tables: none.
Place in the flow: above all.
"""
