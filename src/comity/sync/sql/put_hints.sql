-- Note records to fetch; a record noted again stays one hint with a new id.
-- Takes system, streams, external_ids, hinted_at.
insert into sync.hint as h (system, stream, external_id, hinted_at)
select distinct %(system)s::text, w.stream, w.external_id, %(hinted_at)s::timestamptz
from unnest(%(streams)s::text[], %(external_ids)s::text[]) as w(stream, external_id)
on conflict (system, stream, external_id) do update set hinted_at = excluded.hinted_at, hint_id = default
