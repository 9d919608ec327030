-- Give parked deliveries up: those people stay as they are in the system until something else makes them stale.
-- Takes system, profile_ids. Returns how many by rowcount.
delete from outbox.stale
where system = %(system)s::text and profile_id = any(%(profile_ids)s::uuid[]) and parked_code is not null
