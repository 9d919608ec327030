-- Take in what records say of events of purchases; of one record the last word counts.
-- Takes a JSON array of {system, stream, external_id, name, purchase_key, happened_at} (null: it did not happen) and
-- accepted_at. Returns (purchase_id, profile_id) of the purchases of which something else is said than before, where
-- they are known.
with told as (
    select distinct on (w.system, w.stream, w.external_id, w.name) w.*
    from rows from (jsonb_to_recordset(%(events)s) as (
        system text, stream text, external_id text, name text, purchase_key text, happened_at timestamptz))
        with ordinality as w(system, stream, external_id, name, purchase_key, happened_at, place)
    order by w.system, w.stream, w.external_id, w.name, w.place desc
), former as (
    select e.system, e.stream, e.external_id, e.name, e.purchase_key
    from told w
    join activity.event e using (system, stream, external_id, name)
), said as (
    insert into activity.event as e (system, stream, external_id, name, purchase_key, happened_at, recorded_at)
    select w.system, w.stream, w.external_id, w.name, w.purchase_key, w.happened_at, %(accepted_at)s
    from told w
    where w.happened_at is not null or (w.system, w.stream, w.external_id, w.name) in (
        select f.system, f.stream, f.external_id, f.name from former f
    )
    order by w.system, w.stream, w.external_id, w.name
    on conflict (system, stream, external_id, name) do update
    set purchase_key = excluded.purchase_key, happened_at = excluded.happened_at, recorded_at = excluded.recorded_at
    where (e.purchase_key, e.happened_at) is distinct from (excluded.purchase_key, excluded.happened_at)
    returning e.system, e.stream, e.external_id, e.name, e.purchase_key
)
select distinct p.purchase_id, p.profile_id
from activity.purchase p
where p.profile_id is not null and p.business_key in (
    select s.purchase_key from said s
    union select f.purchase_key from former f join said s using (system, stream, external_id, name)
)
order by p.purchase_id
