-- Hold on to a lease for the rest of the transaction: nobody can take it over until we commit.
-- Takes name, holder, fence. Returns one row while it is ours.
select 1 as held from kernel.lease
where name = %(name)s and holder = %(holder)s::uuid and fence = %(fence)s::bigint
for share
