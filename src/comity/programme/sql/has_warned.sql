-- Whether all warnings of a day have been given.
-- Takes programme and today. Returns true or false.
select coalesce((
    select p.warned_on >= %(today)s from programme.programme p where p.programme = %(programme)s
), true)
