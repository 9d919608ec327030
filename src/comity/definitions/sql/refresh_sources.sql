-- Keep the newest text, file and place of versions whose meaning did not change. Takes arrays of equal length.
update definitions.document as d
set source = w.source, file = w.file, line = w.line
from unnest(
    %(kinds)s::text[], %(names)s::text[], %(versions)s::integer[], %(sources)s::text[], %(files)s::text[],
    %(lines)s::integer[]
) as w(kind, name, version, source, file, line)
where d.kind = w.kind and d.name = w.name and d.version = w.version
    and (d.source, d.file, d.line) is distinct from (w.source, w.file, w.line)
