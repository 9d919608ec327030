-- Mark people stale in systems; the more urgent lane wins, a parked mark gets a new chance.
-- Takes profile_ids, systems, lane, due_at. Relies on the primary key.
insert into outbox.stale as s (system, profile_id, lane, due_at)
select w.system, p.profile_id, %(lane)s::smallint, %(due_at)s::timestamptz
from unnest(%(systems)s::text[]) as w(system)
cross join (select distinct u.profile_id from unnest(%(profile_ids)s::uuid[]) as u(profile_id)) as p
order by w.system, p.profile_id
on conflict (system, profile_id) do update
set lane = least(s.lane, excluded.lane), mark = excluded.mark, due_at = least(s.due_at, excluded.due_at),
    attempts = 0, parked_code = null, parked_message = null, parked_at = null
