-- Note up to where ids had been drawn; this transaction's own id is above that of everybody who drew them.
-- Takes last_transfer_id. Returns the former mark, where everybody before its horizon has ended; else 0 (or nothing
-- when there was none).
with former as (
    select last_transfer_id, horizon <= pg_snapshot_xmin(pg_current_snapshot()) as is_past from ledger.seal_mark
), marked as (
    insert into ledger.seal_mark (last_transfer_id, horizon)
    values (%(last_transfer_id)s, pg_current_xact_id())
    on conflict (is_only) do update set last_transfer_id = excluded.last_transfer_id, horizon = excluded.horizon
    -- A horizon that is still ahead stays: on a busy system it would never be reached otherwise.
    where (select f.is_past from former f)
)
select case when is_past then last_transfer_id else 0 end from former
