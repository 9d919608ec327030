-- The terms of lots as they are now.
-- Takes lot ids. Returns LotTerms.
select
    lot_id, expires_on, nullif(available_from, 'infinity') as available_from,
    coalesce(available_from = 'infinity', false) as is_pending
from ledger.v_lot_term
where lot_id = any(%(lot_ids)s::bigint[])
