-- Returns how many transfers and notes are not sealed yet; the chain begins with number 1.
select
    (select count(*) from ledger.transfer where transfer_id not between 1 and b.last_transfer_id)
    + (select count(*) from ledger.v_note where number not between 1 and b.last_note_id)
from (
    select coalesce(max(last_transfer_id), 0) as last_transfer_id, coalesce(max(last_note_id), 0) as last_note_id
    from ledger.block
) b
