-- Post a batch in order; see functions/020_post.sql.
-- Takes the postings as the literal of an array of ledger.posting, the accounts they name, ascending, and the pieces.
-- Returns a verdict per posting, in order.
select status, transfer_id, debit_balance_after, credit_balance_after
from ledger.post(
    batch => %(batch)s::text::ledger.posting[],
    slot_ids => %(slot_ids)s::text::bigint[],
    piece_places => %(piece_places)s::text::int[],
    piece_lots => %(piece_lots)s::text::bigint[],
    piece_amounts => %(piece_amounts)s::text::bigint[],
    piece_expires_ons => %(piece_expires_ons)s::text::date[],
    piece_available_froms => %(piece_available_froms)s::text::date[],
    booked_at => %(booked_at)s::timestamptz
)
