-- Delivery is done: drop marks that did not change meanwhile; those that did are still to be worked on.
-- Takes system, profile_ids, marks.
delete from outbox.stale s
using unnest(%(profile_ids)s::uuid[], %(marks)s::bigint[]) as w(profile_id, mark)
where s.system = %(system)s::text and s.profile_id = w.profile_id and s.mark = w.mark
