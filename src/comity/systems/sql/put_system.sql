-- Make a system known, or change its title and connector; a removed one comes back running.
-- Takes system, connector, title, now.
insert into systems.system as s (system, connector, title, joined_at)
values (%(system)s, %(connector)s, %(title)s, %(now)s)
on conflict (system) do update set connector = excluded.connector, title = excluded.title,
    state = case when s.state = 'removed' then 'running' else s.state end
