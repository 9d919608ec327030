"""What people did: purchases, what they returned of them, and visits.

Owns: purchases, returns and events of purchases (a stay was completed) as facts, and the reports of them by systems;
visits.
Invariants: one fact reported by any number of systems counts once (business key); a report never vanishes: it waits
when its person is not known yet, and is kept as differing when it says another amount; a fact is published once, when
it has a profile, and as changed when it says something else from then on: the report that came first decides.
Tables: activity.purchase, activity.report, activity.return, activity.event, activity.visit; views v_purchase, v_return,
v_event, v_visit, v_turnover.
Place in the flow: after identity (which knows the persons), before programme (which lets purchases earn).
"""
