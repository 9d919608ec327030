-- Count pieces of rewards; their rows are locked.
-- Takes a JSON array of {programme, reward, amount} (below zero: they are on the shelf again). Returns nothing.
update programme.reward_stock s set issued_count = greatest(0, s.issued_count + w.amount)
from jsonb_to_recordset(%(counted)s) as w(programme text, reward text, amount bigint)
where (s.programme, s.reward) = (w.programme, w.reward)
