-- List the columns of the two wide tables with their types.
select c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod)
from pg_attribute a
join pg_class c on c.oid = a.attrelid
join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'profile' and c.relname in ('observation', 'golden') and a.attnum > 0 and not a.attisdropped
