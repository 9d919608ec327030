-- Append events of one kind.
-- Takes kind, payloads (array of jsonb), occurred_at. Returns nothing.
insert into kernel.event (kind, payload, occurred_at)
select %(kind)s::text, p.payload, %(occurred_at)s::timestamptz
from unnest(%(payloads)s::jsonb[]) with ordinality as p(payload, position)
order by p.position
