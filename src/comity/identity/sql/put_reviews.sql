-- Queue doubtful links for a steward, each once; one that was closed opens again. Takes arrays of equal length.
insert into identity.review (kind, rule, value, record_a, record_b, detail, opened_at)
select w.kind, w.rule, w.value, w.record_a, w.record_b, w.detail, %(opened_at)s
from unnest(
    identity.as_texts(%(kinds)s), identity.as_texts(%(rules)s), identity.as_texts(%(values)s),
    %(records_a)s::bigint[], %(records_b)s::bigint[],
    identity.as_texts(%(details)s)::jsonb[]
) as w (kind, rule, value, record_a, record_b, detail)
on conflict (kind, rule, value, record_a, record_b) do update
set detail = excluded.detail,
    opened_at = case when review.closed_at is null then review.opened_at else excluded.opened_at end,
    closed_at = null
where review.closed_at is not null or review.detail is distinct from excluded.detail
