-- Where reading a stream has come to; no row before the first page.
-- Takes system, stream.
select cursor from systems.cursor where system = %(system)s and stream = %(stream)s
