-- What has to be said so that each schema, and all that is in it, belongs to the role named beside it.
-- Takes arrays of schemas and of roles. Returns (statement); a schema comes before what is in it.
with wish as (
    select n.oid as schema_id, n.nspname, n.nspowner, r.oid as role_id, r.rolname
    from unnest(%(schemas)s::text[], %(roles)s::text[]) as w(nspname, rolname)
    join pg_namespace n on n.nspname = w.nspname
    join pg_roles r on r.rolname = w.rolname
),
thing as (
    select 1 as turn, 'schema' as kind, quote_ident(w.nspname) as name, w.nspowner as owner_id, w.role_id, w.rolname
    from wish w
    union all
    select 2, case c.relkind when 'v' then 'view' when 'S' then 'sequence' else 'table' end, c.oid::regclass::text,
           c.relowner, w.role_id, w.rolname
    from pg_class c
    join wish w on w.schema_id = c.relnamespace
    -- A sequence of a column goes with its table.
    where c.relkind in ('r', 'p', 'v')
        or (c.relkind = 'S' and not exists (select from pg_depend d where d.objid = c.oid and d.deptype in ('a', 'i')))
    union all
    select 2, 'type', t.oid::regtype::text, t.typowner, w.role_id, w.rolname
    from pg_type t
    join wish w on w.schema_id = t.typnamespace
    left join pg_class c on c.oid = t.typrelid
    where t.typtype in ('d', 'e') or c.relkind = 'c'
    union all
    select 2, 'routine', p.oid::regprocedure::text, p.proowner, w.role_id, w.rolname
    from pg_proc p
    join wish w on w.schema_id = p.pronamespace
)
select format('alter %%s %%s owner to %%I', kind, name, rolname) as statement
from thing
where owner_id <> role_id
order by turn, name
