-- The newest version of every document that is not retired, by kind and name. Relies on document_version_once.
select newest.*
from (
    select distinct on (kind, name)
        kind, name, version, author, applied_at, body, source, file, line, is_retired
    from definitions.document
    order by kind, name, version desc
) as newest
where not newest.is_retired
order by newest.kind, newest.name
