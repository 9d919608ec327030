-- Whether the role of this session can neither change nor delete what is posted, nor put its guards out of force.
-- Takes nothing. Returns (is_guarded).
select not bool_or(
    pg_has_role(c.relowner, 'member') or pg_has_role(n.nspowner, 'member') or pg_has_role(p.proowner, 'member')
    or pg_has_role(d.datdba, 'member') or exists (
        select from pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            and (cardinality(t.tgattr::smallint[]) = 0 or a.attnum = any(t.tgattr::smallint[]))
            and has_column_privilege(c.oid, a.attnum, 'update')
    )
    or has_table_privilege(c.oid, 'delete, truncate, trigger')
) as is_guarded
from pg_trigger t
join pg_class c on c.oid = t.tgrelid and t.tgname = c.relname || '_is_immutable'
join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'ledger'
join pg_proc p on p.oid = t.tgfoid
join pg_database d on d.datname = current_database()
