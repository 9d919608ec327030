-- Lock the revision until the transaction ends, so that applies come one after the other. Returns the revision.
select revision from definitions.revision for update
