-- One version of a document; the newest when no version is given.
select kind, name, version, author, applied_at, body, source, file, line, is_retired
from definitions.document
where kind = %(kind)s and name = %(name)s and (%(version)s::integer is null or version = %(version)s::integer)
order by version desc
limit 1
