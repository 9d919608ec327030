-- The versions in force at a revision, by kind and name: the newest up to it of what was not retired then.
-- Takes revision. Relies on document_version_once.
select newest.*
from (
    select distinct on (d.kind, d.name)
        d.kind, d.name, d.version, d.author, d.applied_at, d.body, d.source, d.file, d.line, d.is_retired
    from definitions.document d join definitions.apply a using (apply_id)
    where a.revision <= %(revision)s
    order by d.kind, d.name, d.version desc
) as newest
where not newest.is_retired
order by newest.kind, newest.name
