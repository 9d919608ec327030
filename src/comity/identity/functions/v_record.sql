-- Records and the profile each belongs to, for rooms downstream.
create or replace view identity.v_record as
select record_id, system, stream, external_id, profile_id, is_deleted, linked_at, rule
from identity.record;
