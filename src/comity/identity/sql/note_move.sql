-- Note that records move. Takes nothing; returns a number nobody needs.
select nextval('identity.place_sequence')
