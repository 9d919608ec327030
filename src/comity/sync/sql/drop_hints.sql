-- These hints were followed; one that was noted again meanwhile stays.
-- Takes hint_ids.
delete from sync.hint where hint_id = any(%(hint_ids)s::bigint[])
