-- Everybody who has a golden row, for rooms downstream.
create or replace view profile.v_profile as
select profile_id, updated_at from profile.golden;
