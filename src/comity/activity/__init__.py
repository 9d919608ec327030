"""What people did: purchases.

Owns: purchases as facts and the reports of them by systems.
Invariants: one fact reported by any number of systems counts once (business key); a report never vanishes: it waits
when its person is not known yet, and is kept as differing when it says another amount; a fact is published once, when
it has a profile.
Tables: activity.purchase, activity.report; view v_purchase.
Place in the flow: after identity (which knows the persons), before programme (which lets purchases earn).
"""
