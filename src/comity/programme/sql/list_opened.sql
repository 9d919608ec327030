-- The programmes that have been opened, those that are defined no more included.
-- Takes nothing. Returns programme.
select programme from programme.programme order by programme
