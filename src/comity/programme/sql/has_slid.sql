-- Whether all lots have got what activity up to a day gives them.
-- Takes programme and today. Returns true or false.
select coalesce((
    select p.slid_on >= %(today)s from programme.programme p where p.programme = %(programme)s
), true)
