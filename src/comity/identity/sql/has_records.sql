-- Whether any record is known.
select exists (select from identity.record)
