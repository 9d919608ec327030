-- What has to be said so that a role can work with the tables of a schema that belongs to somebody else, and cannot
-- change what is immutable: tables with a trigger of their name and `_is_immutable` are read and added to, no more
-- than its other columns changed where the trigger names some.
-- Takes schema and role. Returns (statement).
select format('grant usage on schema %%1$I to %%2$I', %(schema)s::text, %(role)s::text) as statement
union all
select format(
    'revoke all on %%1$s from public, %%2$I; grant %%3$s on %%1$s to %%2$I', c.oid::regclass, %(role)s::text,
    case
        when c.relkind = 'v' then 'select'
        when c.relkind = 'S' then 'usage, select'
        when k.tgrelid is null then 'select, insert, update, delete'
        when k.free is null then 'select, insert'
        else format('select, insert, update (%%s)', k.free)
    end
)
from pg_class c
left join lateral (
    select t.tgrelid, (
        select string_agg(quote_ident(a.attname), ', ' order by a.attnum)
        from pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            and cardinality(t.tgattr::smallint[]) > 0 and a.attnum <> all(t.tgattr::smallint[])
    ) as free
    from pg_trigger t
    where t.tgrelid = c.oid and t.tgname = c.relname || '_is_immutable'
) k on true
where c.relnamespace = %(schema)s::text::regnamespace
    and (
        c.relkind in ('r', 'p', 'v')
        or (c.relkind = 'S' and not exists (select from pg_depend d where d.objid = c.oid and d.deptype in ('a', 'i')))
    )
