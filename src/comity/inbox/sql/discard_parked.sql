-- Close parked items for good, on somebody's word.
-- Takes change_ids, closed_by, closed_at. Returns the ids of those that were open.
update inbox.parked set closed_at = %(closed_at)s::timestamptz, closed_by = %(closed_by)s::text
where change_id = any(%(change_ids)s::bigint[]) and closed_at is null
returning change_id
