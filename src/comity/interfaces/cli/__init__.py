"""The command line.

Owns: the commands, their tables for people and their JSON for machines.
Invariants: one verb per door; `--json` everywhere; exit codes come from the kinds of errors.
Tables: none.
Place in the flow: in from people and scripts, to the doors.
"""
