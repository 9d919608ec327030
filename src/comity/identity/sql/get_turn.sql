-- The last turn that is committed. Takes nothing; returns its number.
select number from identity.turn
