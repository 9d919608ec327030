"""Connected instances and how they are doing.

Owns: the state of each system (running or paused), its read cursors, its health.
Invariants: a cursor moves in the transaction that stores the page it stands for; a system is never forgotten, only
marked removed.
Tables: systems.system, systems.cursor.
Place in the flow: beside the edges; pulls, receipt and delivery read and note here.
"""
