-- All versions of one document, newest first.
select kind, name, version, author, applied_at, body, source, file, line, is_retired
from definitions.document
where kind = %(kind)s and name = %(name)s
order by version desc
limit %(count_max)s
