-- Mark every profile stale in systems; a mark that is there already stays as it is.
-- Takes systems, lane, due_at. Makes marks in the order in which everybody does.
insert into outbox.stale (system, profile_id, lane, due_at)
select w.system, p.profile_id, %(lane)s::smallint, %(due_at)s::timestamptz
from unnest(%(systems)s::text[]) as w(system)
cross join profile.v_profile p
order by p.profile_id, w.system
on conflict (profile_id, system) do nothing
