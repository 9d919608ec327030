-- Holds that are open and ended at once, or neither, or until another time; or that ended by no transfer of theirs.
-- There must be none. Returns hold ids, at most 100.
select coalesce(h.hold_id, o.hold_id, e.hold_id) as hold_id
from ledger.hold h
full join ledger.open_hold o using (hold_id)
full join ledger.hold_end e on e.hold_id = coalesce(h.hold_id, o.hold_id)
left join ledger.transfer t on t.transfer_id = coalesce(e.capture_transfer_id, e.release_transfer_id)
where h.hold_id is null
   or (e.hold_id is null and h.deadline_at is distinct from o.deadline_at)
   or (e.hold_id is not null and (o.hold_id is not null or t.transfer_id is null))
order by 1
limit 100
