-- Whether any parked item is open.
select exists(select from inbox.parked where closed_at is null)
