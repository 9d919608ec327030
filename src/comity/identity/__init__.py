"""Which records are the same person, and the Global ID of each person.

Owns: records known to the hub, their match features and keys, links with their evidence, profiles and aliases, the
steward's queue of doubtful links, the history of merges, and the lock on whose records are (`places`).
Invariants: clusters are a pure function of the records' features, the remembered links and the steward's decisions, so
the order of arrival changes nothing; a link once made outlives later changes of the values it was made from; a Global
ID stays with its founding record and never comes to mean somebody else, a merged one resolves to its survivor for
ever; a key value shared by too many records links nobody.
Tables: identity.record, profile, identifier, edge, decision, review, history.
Place in the flow: after mapping, before profile; profile, programme, consent and outbox learn of merges by events.
"""
