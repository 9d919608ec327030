-- Append versions of documents. Takes arrays of equal length; a known version raises document_version_once.
insert into definitions.document (
    kind, name, version, apply_id, author, applied_at, body, sha256, source, file, line, is_retired
)
select w.kind, w.name, w.version, %(apply_id)s, %(author)s, %(applied_at)s, w.body::jsonb, w.sha256, w.source, w.file,
    w.line, w.is_retired
from unnest(
    %(kinds)s::text[], %(names)s::text[], %(versions)s::integer[], %(bodies)s::text[], %(hashes)s::bytea[],
    %(sources)s::text[], %(files)s::text[], %(lines)s::integer[], %(retired)s::boolean[]
) as w(kind, name, version, body, sha256, source, file, line, is_retired)
