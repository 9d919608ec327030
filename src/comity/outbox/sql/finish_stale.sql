-- Delivery is done: drop marks that did not change meanwhile; those that did are still to be worked on.
-- Takes system, profile_ids, marks. Locks in the order in which marks are made, or the two would deadlock.
with done as materialized (
    select s.profile_id, s.mark
    from outbox.stale s
    join unnest(%(profile_ids)s::uuid[], %(marks)s::bigint[]) as w(profile_id, mark)
        on s.profile_id = w.profile_id and s.mark = w.mark
    where s.system = %(system)s::text
    order by s.profile_id
    for update of s
)
delete from outbox.stale s
using done
where s.system = %(system)s::text and s.profile_id = done.profile_id and s.mark = done.mark
