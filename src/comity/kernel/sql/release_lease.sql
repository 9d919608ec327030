-- Let a lease go, if it is still ours.
-- Takes name, holder.
update kernel.lease set expires_at = '-infinity' where name = %(name)s and holder = %(holder)s::uuid
