-- Mark every profile stale in a system, also those that are being delivered at the moment; parked ones stay parked, and
-- those that failed wait as long as they would have.
-- Takes system, lane, due_at.
insert into outbox.stale as s (system, profile_id, lane, due_at, waiting_since)
select %(system)s::text, p.profile_id, %(lane)s::smallint, %(due_at)s::timestamptz, %(due_at)s::timestamptz
from profile.v_profile p
order by p.profile_id
on conflict (profile_id, system) do update
set mark = excluded.mark,
    due_at = case when s.attempts = 0 then least(s.due_at, excluded.due_at) else s.due_at end,
    waiting_since = least(s.waiting_since, excluded.waiting_since)
where s.parked_code is null
