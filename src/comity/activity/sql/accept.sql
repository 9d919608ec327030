-- Take reports of purchases in; see functions/accept.sql.
-- Takes JSON arrays of reports and of profile ids, and accepted_at. Returns Taken, one per report, in order.
select
    purchase_id, business_key, profile_id, occurred_at, amount_minor, currency, system, stream, external_id, is_new,
    is_differing, is_news, is_recorded, is_cancelled, details, is_changed
from activity.accept(%(reports)s, %(profile_ids)s, %(accepted_at)s)
