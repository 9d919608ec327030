"""The golden profile: what is true of a person, decided from what the systems say.

Owns: observations (what each record says, with the time each value came about) and golden rows (one per person),
    orchestration rules compiled to SQL, the reasons behind every golden value.
Invariants: a golden row is a pure function of (observations, rules, links) and is never edited in place; replaying
    changes nothing; a value Comity itself wrote into a record never counts as that record's opinion; an older version
    of a record never overwrites a newer one; a record that never had a value cannot clear one.
Tables: profile.observation, profile.golden; both get typed columns for each attribute by `api.ensure_columns`.
Place in the flow: after identity (which record is whose), before segments and the outbox.
"""
