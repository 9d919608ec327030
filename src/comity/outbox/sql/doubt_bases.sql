-- Records said something else than what was agreed with them: all of their fields are to be compared anew.
-- Takes record_ids.
update outbox.base set doubted_count = doubted_count + 1 where record_id = any(%(record_ids)s::bigint[])
