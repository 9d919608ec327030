-- Records of a system to fetch, oldest first.
-- Takes system, count_max.
select stream, external_id, hint_id from sync.hint where system = %(system)s::text order by hint_id limit %(count_max)s::int
