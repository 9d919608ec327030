"""Benchmarks: a path of the product beside a limit measured in the same run.

Owns: the measuring programs, `python -m bench.NAME [--quick] [--json]`: intake, redeem, unify, ledger, bulk, simulate.
Invariants: product and limit take turns within one run, several times; what is printed are medians with the range,
and the ratio is taken within each turn, so that a busy machine hits both. What was acknowledged is counted afterwards.
Tables: its own, in databases of a server started for the run and removed with it.
Place in the flow: outside; it calls doors and HTTP routes as anybody would.
"""
