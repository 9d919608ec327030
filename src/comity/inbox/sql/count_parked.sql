-- Open parked items per system.
select system, count(*) as parked_count from inbox.parked where closed_at is null group by system
