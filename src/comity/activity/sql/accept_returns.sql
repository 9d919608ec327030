-- Take reports of returns in: each return once, however many systems tell of it; the first report decides, also later.
-- Takes a JSON array of reports and accepted_at. Returns (purchase_id, profile_id) of the purchases that have another
-- return than before, where they are known.
with told as (
    select distinct on (w.system, w.stream, w.external_id) w.*
    from rows from (jsonb_to_recordset(%(reports)s) as (
        system text, stream text, external_id text, business_key text, purchase_key text, occurred_at timestamptz,
        amount_minor bigint, currency text, details jsonb)) with ordinality
        as w(system, stream, external_id, business_key, purchase_key, occurred_at, amount_minor, currency, details, place)
    order by w.system, w.stream, w.external_id, w.place desc
), former as (
    select r.return_id, r.purchase_key
    from told w
    join activity.return r
        on (r.first_system, r.first_stream, r.first_external_id) = (w.system, w.stream, w.external_id)
), corrected as (
    update activity.return r
    set purchase_key = w.purchase_key, occurred_at = w.occurred_at, amount_minor = w.amount_minor,
        currency = w.currency, details = w.details
    from told w
    where (r.first_system, r.first_stream, r.first_external_id) = (w.system, w.stream, w.external_id)
      and (r.purchase_key, r.occurred_at, r.amount_minor, r.currency, r.details)
          is distinct from (w.purchase_key, w.occurred_at, w.amount_minor, w.currency, w.details)
    returning r.return_id, r.purchase_key
), inserted as (
    insert into activity.return (
        business_key, purchase_key, occurred_at, amount_minor, currency, details, first_system, first_stream,
        first_external_id, recorded_at)
    select distinct on (w.business_key)
           w.business_key, w.purchase_key, w.occurred_at, w.amount_minor, w.currency, w.details, w.system, w.stream,
           w.external_id, %(accepted_at)s
    from told w
    where not exists (
        select from activity.return r
        where (r.first_system, r.first_stream, r.first_external_id) = (w.system, w.stream, w.external_id)
    )
    order by w.business_key, w.system, w.stream, w.external_id
    on conflict (business_key) do nothing
    returning purchase_key
)
select distinct p.purchase_id, p.profile_id
from activity.purchase p
where p.profile_id is not null and p.business_key in (
    select c.purchase_key from corrected c
    union select f.purchase_key from former f join corrected c using (return_id)
    union select i.purchase_key from inserted i
)
order by p.purchase_id
