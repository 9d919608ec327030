"""What every room stands on.

Owns: the database pool and its transactions, SQL files, migrations, the event log with its readers, leases and
schedules, clock and ids, errors by kind, the embedded server, the one egress client, telemetry.
Invariants: nothing here knows a room; a reader never passes a place that a running transaction can still fill.
Tables: kernel.migration, kernel.function_set, kernel.event, kernel.reader, kernel.lease, kernel.schedule.
Place in the flow: below all; imported by all.
"""
