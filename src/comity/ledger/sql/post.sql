-- Post a batch in order; see functions/020_post.sql.
-- Takes numbers, days and flags as array literals and texts as one JSON array each. Returns a verdict per posting, in
-- order.
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
    reversal_numbers => %(reversal_numbers)s::text::int[],
    takes => %(takes)s::text::text[],
    may_owes => %(may_owes)s::text::boolean[],
    expires_ons => %(expires_ons)s::text::date[],
    available_froms => %(available_froms)s::text::date[],
    money_debits => %(money_debits)s::text::bigint[],
    money_credits => %(money_credits)s::text::bigint[],
    money_amounts => %(money_amounts)s::text::bigint[],
    piece_places => %(piece_places)s::text::int[],
    piece_lots => %(piece_lots)s::text::bigint[],
    piece_amounts => %(piece_amounts)s::text::bigint[],
    piece_expires_ons => %(piece_expires_ons)s::text::date[],
    piece_available_froms => %(piece_available_froms)s::text::date[],
    booked_at => %(booked_at)s::timestamptz
)
