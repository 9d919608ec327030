-- Close the doubts about records that no longer stand. Takes the records looked at, and the pairs (arrays of
-- equal length) that are still in doubt.
update identity.review v
set closed_at = %(closed_at)s
where v.closed_at is null
    and (v.record_a = any(%(record_ids)s::bigint[]) or v.record_b = any(%(record_ids)s::bigint[]))
    and not exists (
        select 1
        from unnest(
            identity.as_texts(%(kinds)s), identity.as_texts(%(rules)s), identity.as_texts(%(values)s),
            %(records_a)s::bigint[], %(records_b)s::bigint[]
        ) as w (kind, rule, value, record_a, record_b)
        where w.kind = v.kind and w.rule = v.rule and w.value = v.value
            and w.record_a = v.record_a and w.record_b = v.record_b
    )
