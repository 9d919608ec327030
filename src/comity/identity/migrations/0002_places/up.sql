-- Counts how often records moved or profiles were merged, so that who knows whose records were can tell if they still are.
create sequence identity.place_sequence;
