-- A pool by its id, or by the key it was opened with.
-- Takes pool_id and idempotency_key, one of them null. Returns KnownPool or nothing.
select pool_id, programme, account_id, opened_by
from programme.pool
where pool_id = %(pool_id)s::bigint or idempotency_key = %(idempotency_key)s::text
