-- Move to the next revision. Takes nothing; returns the new one.
update definitions.revision set revision = revision + 1 returning revision
