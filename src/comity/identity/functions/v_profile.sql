-- Global IDs; one with merged_into is an alias.
create or replace view identity.v_profile as
select profile_id, merged_into, created_at
from identity.profile;
