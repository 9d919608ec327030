-- Append parked changes again, as new changes, and note that they were replayed.
-- Takes system and change_ids (null for all open), replayed_at. Returns the change ids replayed.
with chosen as (
    update inbox.parked p set closed_at = %(replayed_at)s::timestamptz, closed_by = 'replay'
    where p.closed_at is null
      and (%(system)s::text is null or p.system = %(system)s::text)
      and (%(change_ids)s::bigint[] is null or p.change_id = any(%(change_ids)s::bigint[]))
    returning p.change_id
), appended as (
    insert into inbox.change (system, stream, external_id, version, kind, source_at, received_at, survivor_id, payload)
    select c.system, c.stream, c.external_id, c.version || '#replay-' || c.change_id, c.kind, c.source_at,
        %(replayed_at)s::timestamptz, c.survivor_id, c.payload
    from chosen join inbox.change c using (change_id)
    on conflict on constraint change_once do nothing
)
select change_id from chosen order by change_id
