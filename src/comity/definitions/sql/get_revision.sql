-- The revision in force. Takes nothing; returns one number.
select revision from definitions.revision
