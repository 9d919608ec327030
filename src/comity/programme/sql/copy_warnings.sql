-- What somebody was warned of goes with the lots that move: nobody is warned of them once more.
-- Takes a JSON array of {source_account_id, target_account_id}.
insert into programme.expiry_warning (programme, account_id, expires_on, days, warned_at)
select w.programme, m.target_account_id, w.expires_on, w.days, w.warned_at
from jsonb_to_recordset(%(moves)s) as m(source_account_id bigint, target_account_id bigint)
join programme.expiry_warning w on w.account_id = m.source_account_id
order by 2, 3, 4
on conflict (account_id, expires_on, days) do nothing
