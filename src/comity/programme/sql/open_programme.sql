-- Note a programme's account and time zone; a programme that is known keeps its account.
-- Takes programme, timezone, account_id and opened_at. Returns nothing.
insert into programme.programme as p (programme, timezone, account_id, released_through, opened_at)
values (%(programme)s, %(timezone)s, %(account_id)s,
        (%(opened_at)s::timestamptz at time zone %(timezone)s::text)::date, %(opened_at)s)
on conflict (programme) do update set timezone = excluded.timezone where p.timezone <> excluded.timezone
