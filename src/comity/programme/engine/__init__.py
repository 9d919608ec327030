"""The programme engine: what a programme decides, as pure functions of versioned rules over typed facts.

Nothing here knows a database, a clock or chance: the same facts, state and rules give the same result, to the point,
on every machine. Amounts are minor units, points are whole numbers, days are those of the programme's time zone; there
are no floats. Each result carries a tree of steps that says where every number comes from.

| module | decides |
|---|---|
| `compiling` | rules made ready to run, once for each version of a programme |
| `evaluating` | what one purchase earns |
| `replaying` | what a batch of purchases earns, and a member's whole history in the order of time |
| `lifetimes` | when points become available and when they expire |
| `tiers` | which tier somebody has, had, and will have |
| `returning` | what a return takes back |
| `correcting` | what a late or corrected purchase changes, as deltas |
| `referring`, `limits` | referrals, budgets, rewards, transfers, pools, adjustments |
| `telling` | an explanation in words |
"""
