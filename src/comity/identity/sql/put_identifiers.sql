-- Store keys of records, some of which may be there. Takes arrays of equal length. Relies on the primary key.
insert into identity.identifier (key_hash, record_id, rule_tag)
select * from unnest(%(key_hashes)s::bigint[], %(record_ids)s::bigint[], %(rule_tags)s::int[])
on conflict (key_hash, record_id) do nothing
