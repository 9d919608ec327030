-- Record who applied what when. Returns the id.
insert into definitions.apply (revision, author, applied_at, summary)
values (%(revision)s, %(author)s, %(applied_at)s, %(summary)s)
returning apply_id
