-- Find a programme.
-- Takes programme. Returns KnownProgramme or nothing.
select programme, timezone, account_id from programme.programme where programme = %(programme)s
