-- Find a programme.
-- Takes programme. Returns KnownProgramme or nothing.
select programme, timezone, account_id, kind, is_spendable, further_kinds from programme.programme where programme = %(programme)s
