-- Forget what records said.
-- Takes record ids; returns the profiles that lost a record. Locks in the order in which everybody locks records.
with locked as materialized (
    select o.record_id from profile.observation o where o.record_id = any(%(record_ids)b) order by o.record_id for update
), dropped as (
    delete from profile.observation o using locked l where o.record_id = l.record_id returning o.profile_id
)
select distinct profile_id from dropped
