-- Note that all warnings of a day have been given, and forget those of what has expired.
-- Takes programme and today.
with ended as (
    update programme.programme p set warned_on = %(today)s where p.programme = %(programme)s
)
delete from programme.expiry_warning w where w.programme = %(programme)s and w.expires_on <= %(today)s
