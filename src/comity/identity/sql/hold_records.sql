-- Keep records where they are until the transaction ends; after profiles, as everywhere.
-- Takes arrays of equal length. Returns position (from 1) and the living profile of each that is known.
with wanted as materialized (
    select w.position, w.system, w.stream, w.external_id
    from unnest(
        identity.as_texts(%(systems)s), identity.as_texts(%(streams)s), identity.as_texts(%(external_ids)s)
    ) with ordinality as w (system, stream, external_id, position)
), held as materialized (
    select r.system, r.stream, r.external_id, r.profile_id
    from identity.record r
    where (r.external_id, r.stream, r.system) in (select w.external_id, w.stream, w.system from wanted w)
    order by r.record_id
    for share
)
select w.position, h.profile_id from wanted w join held h using (system, stream, external_id) order by w.position
