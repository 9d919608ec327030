-- Note a cadence; what is known keeps its next time unless the cadence changed.
-- Takes name, cadence, next_at.
insert into kernel.schedule as s (name, cadence, next_at) values (%(name)s, %(cadence)s, %(next_at)s)
on conflict (name) do update set cadence = excluded.cadence, next_at = excluded.next_at
where s.cadence <> excluded.cadence
