-- Calls were never counted: nothing wrote here, and nothing read it.
drop table systems.call_count;
