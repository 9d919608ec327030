-- What stands in the log for a system: rows, and people who have no mark there that waits.
-- Takes system, xid, id, now. Returns row_count, people_count.
select count(*) as row_count,
    count(distinct c.profile_id) filter (
        where (c.system is null or c.shown is null) and not exists (
            select from outbox.stale s
            where s.profile_id = c.profile_id and s.system = %(system)s::text and s.parked_code is null
                and not (s.lane = 5 and s.due_at > %(now)s::timestamptz)
        )
    ) as people_count
from outbox.change c
where (c.xid, c.change_id) > (%(xid)s::bigint::text::xid8, %(id)s::bigint)
    and (c.system is null or c.system = %(system)s::text)
