-- Whether the schemas that are there belong to the role of this session, those that are kept from it to another one.
-- Takes arrays of schemas and of those kept. Returns (is_split).
select coalesce(bool_and((r.rolname = current_user) <> (n.nspname = any(%(kept)s::text[]))), true) as is_split
from pg_namespace n
join pg_roles r on r.oid = n.nspowner
where n.nspname = any(%(schemas)s::text[])
