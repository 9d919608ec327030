-- Delivery is done: drop marks that did not change meanwhile, free those that did.
-- Takes system, profile_ids, marks.
with done as (
    select * from unnest(%(profile_ids)s::uuid[], %(marks)s::bigint[]) as w(profile_id, mark)
), freed as (
    update outbox.stale s set claimed_until = null
    from done
    where s.system = %(system)s::text and s.profile_id = done.profile_id and s.mark <> done.mark
)
delete from outbox.stale s using done
where s.system = %(system)s::text and s.profile_id = done.profile_id and s.mark = done.mark
