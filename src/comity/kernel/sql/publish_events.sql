-- Append events of one kind.
-- Takes kind, payloads (one JSON array: a tenth of the cost of an array of jsonb) and occurred_at. Returns nothing.
insert into kernel.event (kind, payload, occurred_at)
select %(kind)s::text, p.payload, %(occurred_at)s::timestamptz
from jsonb_array_elements(%(payloads)s) with ordinality as p(payload, position)
order by p.position
