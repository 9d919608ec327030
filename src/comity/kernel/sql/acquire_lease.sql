-- Take a lease that is free, expired, already ours or left by a dead process; the fence grows when the holder changes.
-- Takes name, holder, seconds, presence (or null). Returns the fence, or no row when somebody else holds it.
insert into kernel.lease as l (name, holder, fence, expires_at, presence)
values (
    %(name)s, %(holder)s::uuid, 1, clock_timestamp() + make_interval(secs => %(seconds)s::float8), %(presence)s::bigint
)
on conflict (name) do update
set holder = excluded.holder,
    fence = l.fence + (l.holder <> excluded.holder)::int,
    expires_at = excluded.expires_at,
    presence = excluded.presence
where case
    when l.holder = excluded.holder or l.expires_at < clock_timestamp() then true
    when l.presence is null then false
    else pg_try_advisory_xact_lock(l.presence)
end
returning l.fence
