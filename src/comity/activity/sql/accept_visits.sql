-- Take reports of visits in, each key once.
-- Takes a JSON array of {business_key, profile_id, occurred_at, person} and accepted_at. Returns (business_key) of those
-- that are new.
insert into activity.visit (
    business_key, profile_id, occurred_at, person_system, person_stream, person_external_id, recorded_at)
select w.business_key, w.profile_id, w.occurred_at, w.person ->> 'system', w.person ->> 'stream',
       w.person ->> 'external_id', %(accepted_at)s
from jsonb_to_recordset(%(visits)s) as w(
    business_key text, profile_id uuid, occurred_at timestamptz, person jsonb)
order by w.business_key
on conflict (business_key) do nothing
returning business_key
