-- Since when what is stale has waited: fields with a cadence are written at its first tick from then on.
alter table outbox.stale add column waiting_since timestamptz;
update outbox.stale set waiting_since = due_at;
alter table outbox.stale alter column waiting_since set not null;
-- Marks of lane 5 are there for fields that wait for their tick: there may be many, and most are not due.
create index stale_held on outbox.stale (system, due_at) where parked_code is null and lane = 5;
