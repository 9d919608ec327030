-- Take the next changes of the log into the marks of a system: the more urgent lane wins, a parked mark gets a new
-- chance; doubt the records that show something else than was agreed with them.
-- Takes system, xid, id (the reader's place), now, count_max. Returns taken_count and the last place (last_xid, last_id),
-- and everybody_lane where everybody is to be marked. Whoever asks holds the lease of the system's deliveries.
with taken as materialized (
    select c.xid, c.change_id, c.profile_id, c.system, c.record_id, c.shown, c.lane
    from outbox.change c
    where (c.xid, c.change_id) > (%(xid)s::bigint::text::xid8, %(id)s::bigint)
        and c.xid < pg_snapshot_xmin(pg_current_snapshot())
    order by c.xid, c.change_id
    limit %(count_max)s::int
), own as materialized (
    select * from taken t where t.system is null or t.system = %(system)s::text
), news as materialized (
    select o.record_id, bool_or(o.shown is null) as is_told, min(o.shown) as least_shown, max(o.shown) as most_shown
    from own o where o.record_id is not null
    group by o.record_id
), differing as materialized (
    select b.record_id
    from news n
    join outbox.base b using (record_id)
    where b.system = %(system)s::text and (n.is_told or (n.least_shown, n.most_shown) is distinct from (b.shown, b.shown))
    order by b.record_id
    for no key update of b
), doubted as (
    update outbox.base b set doubted_count = b.doubted_count + 1
    from differing d
    where b.record_id = d.record_id
), marked as (
    insert into outbox.stale as s (system, profile_id, lane, due_at, waiting_since)
    select %(system)s::text, o.profile_id, min(o.lane), %(now)s::timestamptz, %(now)s::timestamptz
    from own o
    where o.profile_id is not null
        and (o.system is null or o.shown is null or o.record_id in (select d.record_id from differing d))
    group by o.profile_id
    order by o.profile_id
    on conflict (profile_id, system) do update
    set lane = least(s.lane, excluded.lane), mark = excluded.mark, due_at = least(s.due_at, excluded.due_at),
        waiting_since = least(s.waiting_since, excluded.waiting_since),
        attempts = 0, parked_code = null, parked_message = null, parked_at = null
)
select (select count(*) from taken) as taken_count, last.xid::text::bigint as last_xid, last.change_id as last_id,
    (select min(o.lane) from own o where o.profile_id is null) as everybody_lane
from (select t.xid, t.change_id from taken t order by t.xid desc, t.change_id desc limit 1) as last
