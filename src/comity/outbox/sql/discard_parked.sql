-- Give parked deliveries up: those people stay as they are in the system until something else makes them stale.
-- Takes system, profile_ids. Returns how many by rowcount. Locks in the order in which marks are made.
with parked as materialized (
    select s.profile_id
    from outbox.stale s
    where s.system = %(system)s::text and s.profile_id = any(%(profile_ids)s::uuid[]) and s.parked_code is not null
    order by s.profile_id
    for update of s
)
delete from outbox.stale s using parked p where s.system = %(system)s::text and s.profile_id = p.profile_id
