-- Note that all lots have got what activity up to a day gives them.
-- Takes programme and today.
update programme.programme p set slid_on = %(today)s where p.programme = %(programme)s
