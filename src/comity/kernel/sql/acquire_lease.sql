-- Take a lease that is free, expired or already ours; the fence grows when the holder changes.
-- Takes name, holder, seconds. Returns the fence, or no row when somebody else holds it.
insert into kernel.lease as l (name, holder, fence, expires_at)
values (%(name)s, %(holder)s::uuid, 1, clock_timestamp() + make_interval(secs => %(seconds)s::float8))
on conflict (name) do update
set holder = excluded.holder,
    fence = l.fence + (l.holder <> excluded.holder)::int,
    expires_at = excluded.expires_at
where l.holder = excluded.holder or l.expires_at < clock_timestamp()
returning l.fence
