-- Note a programme's account, time zone and kinds of points; a programme that is known keeps its account.
-- Takes programme, timezone, account_id, kind (the first one), is_spendable, further_kinds and opened_at. Returns nothing.
insert into programme.programme as p (
    programme, timezone, account_id, kind, is_spendable, further_kinds, released_through, opened_at)
values (%(programme)s, %(timezone)s, %(account_id)s, %(kind)s, %(is_spendable)s, %(further_kinds)s,
        (%(opened_at)s::timestamptz at time zone %(timezone)s::text)::date, %(opened_at)s)
on conflict (programme) do update
set timezone = excluded.timezone, kind = excluded.kind, is_spendable = excluded.is_spendable,
    further_kinds = excluded.further_kinds
where (p.timezone, p.kind, p.is_spendable, p.further_kinds)
      is distinct from (excluded.timezone, excluded.kind, excluded.is_spendable, excluded.further_kinds)
