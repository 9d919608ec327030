-- Note a pool.
-- Takes idempotency_key, programme, account_id, opened_by and the time. Returns its pool_id.
insert into programme.pool (idempotency_key, programme, account_id, opened_by, opened_at)
values (%(idempotency_key)s, %(programme)s, %(account_id)s, %(opened_by)s, %(now)s)
returning pool_id
