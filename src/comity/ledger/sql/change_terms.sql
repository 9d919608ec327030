-- Change the terms of lots, once per key, wherever they are held.
-- Takes a JSON array of {lot_id, idempotency_key, expires_on, available_from, reason} and changed_at. Returns (key,
-- status): posted, duplicate, key_reused, or unknown where there is no such lot. Who holds a lot is looked up lot by lot
-- (`offset 0`): a join would read the whole view.
with wanted as (
    select *
    from rows from (jsonb_to_recordset(%(changes)s) as (
        lot_id bigint, idempotency_key text, expires_on date, available_from date, reason text)) with ordinality
        as w(lot_id, idempotency_key, expires_on, available_from, reason, place)
), changed as (
    insert into ledger.lot_term (lot_id, idempotency_key, expires_on, available_from, reason, changed_at)
    select w.lot_id, w.idempotency_key, w.expires_on, w.available_from, w.reason, %(changed_at)s
    from wanted w
    join ledger.v_lot l on l.lot_id = w.lot_id
    order by w.place
    on conflict on constraint term_key_once do nothing
    returning lot_term_id, lot_id, idempotency_key, expires_on, available_from
), latest as (
    select distinct on (lot_id) lot_id, expires_on, available_from from changed order by lot_id, lot_term_id desc
), held as (
    update ledger.holding h set expires_on = l.expires_on, available_from = l.available_from
    from latest l
    cross join lateral (select v.account_id from ledger.v_lot_entry v where v.lot_id = l.lot_id offset 0) e
    where (h.account_id, h.lot_id) = (e.account_id, l.lot_id)
)
select w.idempotency_key, case
    when c.lot_term_id is not null then 'posted'
    when k.lot_term_id is null then 'invalid'
    when (k.lot_id, k.expires_on, k.available_from) is not distinct from (w.lot_id, w.expires_on, w.available_from)
        then 'duplicate'
    else 'key_reused' end as status
from wanted w
left join changed c on c.idempotency_key = w.idempotency_key and c.lot_id = w.lot_id
left join ledger.lot_term k on k.idempotency_key = w.idempotency_key
order by w.place
