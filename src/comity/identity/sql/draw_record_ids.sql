-- Draw ids for new records, so that their keys can be stored before their profile is known.
select nextval('identity.record_record_id_seq') from generate_series(1, %(count)s)
