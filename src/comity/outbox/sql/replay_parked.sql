-- Give parked deliveries another chance.
-- Takes system (or null for all), now. Returns how many by rowcount.
update outbox.stale
set parked_code = null, parked_message = null, parked_at = null, attempts = 0, due_at = %(now)s::timestamptz
where parked_code is not null and (%(system)s::text is null or system = %(system)s::text)
