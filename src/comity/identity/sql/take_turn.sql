-- One resolution at a time; the lock on the row ends with the transaction. Takes nothing; returns the number of this turn.
update identity.turn set number = number + 1 returning number
