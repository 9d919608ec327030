-- Close parked items for good, on somebody's word.
-- Takes change_ids, discarded_by, discarded_at.
update inbox.parked set discarded_at = %(discarded_at)s::timestamptz, discarded_by = %(discarded_by)s::text
where change_id = any(%(change_ids)s::bigint[]) and replayed_at is null and discarded_at is null
