-- Hold the count of rewards, from 0 where nobody had one yet; the rows are locked in the order of their names.
-- Takes a JSON array of {programme, reward}. Returns (programme, reward, issued_count).
insert into programme.reward_stock as s (programme, reward, issued_count)
select w.programme, w.reward, 0
from jsonb_to_recordset(%(rewards)s) as w(programme text, reward text)
order by w.programme, w.reward
on conflict (programme, reward) do update set issued_count = s.issued_count
returning programme, reward, issued_count
