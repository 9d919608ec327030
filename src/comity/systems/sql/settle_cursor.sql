-- Note that all that the first read of a stream brought has been unified.
-- Takes system, stream.
update systems.cursor set is_settled = true where system = %(system)s::text and stream = %(stream)s::text
