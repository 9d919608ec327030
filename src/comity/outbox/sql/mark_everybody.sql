-- Mark every profile stale in a system, also those that are being delivered at the moment; parked ones stay parked.
-- Takes system, lane, due_at.
insert into outbox.stale as s (system, profile_id, lane, due_at)
select %(system)s::text, p.profile_id, %(lane)s::smallint, %(due_at)s::timestamptz
from profile.v_profile p
order by p.profile_id
on conflict (profile_id, system) do update set mark = excluded.mark where s.parked_code is null
