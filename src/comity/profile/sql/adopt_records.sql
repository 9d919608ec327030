-- Make room for records that Comity created: they have said nothing of their own yet.
-- Takes arrays of equal length.
insert into profile.observation (record_id, profile_id, system, stream, external_id)
select w.record_id, w.profile_id, w.system, w.stream, w.external_id
from unnest(%(record_ids)s::bigint[], %(profile_ids)s::uuid[], %(systems)s::text[], %(streams)s::text[], %(external_ids)s::text[])
    as w(record_id, profile_id, system, stream, external_id)
on conflict (record_id) do nothing
