-- Draw `count` ids in a row and return the first. Whoever draws ids holds the identity lock.
select setval('identity.record_record_id_seq', nextval('identity.record_record_id_seq') + %(count)s::bigint - 1) - %(count)s::bigint + 1
