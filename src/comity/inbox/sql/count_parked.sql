-- Open parked items per system.
select c.system, count(*) as parked_count
from inbox.parked p join inbox.change c using (change_id)
where p.replayed_at is null and p.discarded_at is null
group by c.system
