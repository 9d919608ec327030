-- Parked items, oldest first: open ones, or closed ones.
-- Takes system (or null for all), is_closed, after_id, count_max. Returns the item with its change.
select p.change_id, c.system, c.stream, c.external_id, c.version, p.code, p.field, p.message, p.remedy, p.parked_at,
    p.closed_at, p.closed_by, left(encode(c.payload, 'escape'), 2000) as payload_excerpt
from inbox.parked p
join inbox.change c using (change_id)
where (p.closed_at is not null) = %(is_closed)s::boolean and p.change_id > %(after_id)s::bigint
  and (%(system)s::text is null or p.system = %(system)s::text)
order by p.change_id
limit %(count_max)s::int
