-- Mark records as gone. Takes record ids, match_hash.
update identity.record set is_deleted = true, match_hash = %(match_hash)s
where record_id = any(%(record_ids)s::bigint[])
