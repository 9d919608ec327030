-- Post a batch in order; see functions/020_post.sql.
-- Takes numbers as array literals and texts as one JSON array each. Returns a verdict per posting, in order.
select status, transfer_id, debit_balance_after, credit_balance_after
from ledger.post(
    keys => array(select jsonb_array_elements_text(%(keys)s)),
    requests => array(select jsonb_array_elements_text(%(requests)s)),
    debits => %(debits)s::text::bigint[],
    credits => %(credits)s::text::bigint[],
    amounts => %(amounts)s::text::bigint[],
    kinds => array(select jsonb_array_elements_text(%(kinds)s)),
    reasons => array(select jsonb_array_elements_text(%(reasons)s)),
    effective_ons => %(effective_ons)s::text::date[],
    systems => array(select jsonb_array_elements_text(%(systems)s)),
    external_ids => array(select jsonb_array_elements_text(%(external_ids)s)),
    reverses => %(reverses)s::text::bigint[],
    booked_at => %(booked_at)s::timestamptz
)
