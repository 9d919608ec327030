-- Mark people stale in systems; the more urgent lane wins, a parked mark gets a new chance.
-- Takes profile_ids and systems (each with each), other_profile_ids and other_systems (of equal length: pairs), lane,
-- due_at. Relies on the primary key; the marks of a person lie together there, and everybody makes them in its order.
insert into outbox.stale as s (system, profile_id, lane, due_at)
select w.system, w.profile_id, %(lane)s::smallint, %(due_at)s::timestamptz
from (
    select p.profile_id, u.system
    from unnest(%(systems)s::text[]) as u(system)
    cross join unnest(%(profile_ids)s::uuid[]) as p(profile_id)
    union
    select o.profile_id, o.system
    from unnest(%(other_profile_ids)s::uuid[], %(other_systems)s::text[]) as o(profile_id, system)
) as w
order by w.profile_id, w.system
on conflict (profile_id, system) do update
set lane = least(s.lane, excluded.lane), mark = excluded.mark, due_at = least(s.due_at, excluded.due_at),
    attempts = 0, parked_code = null, parked_message = null, parked_at = null
