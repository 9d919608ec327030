-- Note a pool.
-- Takes idempotency_key, programme, account_id, opened_by and the time. Returns its pool_id, or nothing where the key is taken.
insert into programme.pool (idempotency_key, programme, account_id, opened_by, opened_at)
values (%(idempotency_key)s, %(programme)s, %(account_id)s, %(opened_by)s, %(now)s)
on conflict on constraint pool_key_once do nothing
returning pool_id
