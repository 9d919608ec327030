-- How often records have moved. Takes nothing; returns one number, which others see before the move is committed.
select last_value + is_called::int as moves from identity.place_sequence
