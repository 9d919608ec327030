-- Of records whose keys are stored, those that may gain or lose a link: somebody of another profile (or of none yet)
-- has one of their keys, or more records have it than may be linked by it.
-- Takes arrays of equal length, one entry a key: record id, digest, most records a link allows.
-- Returns record ids. Relies on the primary keys of identifier and record; whose a record is gets read only where
-- somebody else has its key.
select distinct w.record_id
from unnest(%(record_ids)s::bigint[], %(key_hashes)s::bigint[], %(limits)s::int[]) as w (record_id, key_hash, count_max)
cross join lateral (
    select
        count(*) as members,
        bool_or(i.record_id <> w.record_id and (
            select r.profile_id from identity.record r where r.record_id = i.record_id
        ) is distinct from (
            select r.profile_id from identity.record r where r.record_id = w.record_id
        )) as has_others
    from (
        select i.record_id from identity.identifier i
        where i.key_hash = w.key_hash
        limit w.count_max + 1
    ) i
) m
where m.has_others or m.members > w.count_max
