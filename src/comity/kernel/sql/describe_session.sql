-- Who a session is, and where.
-- Takes the name of a role. Returns (role, database, is_member): the last is true of whoever may act as that role.
select current_user::text as role, d.oid::bigint as database,
       coalesce((select pg_has_role(r.oid, 'member') from pg_roles r where r.rolname = %(role)s::text), false) as is_member
from pg_database d
where d.datname = current_database()
