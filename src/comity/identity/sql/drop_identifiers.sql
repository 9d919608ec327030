-- Drop keys of records. Takes arrays of equal length. Relies on the primary key.
delete from identity.identifier i
using unnest(%(key_hashes)s::bigint[], %(record_ids)s::bigint[]) as w (key_hash, record_id)
where i.key_hash = w.key_hash and i.record_id = w.record_id
