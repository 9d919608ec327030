-- Keep others from sending these keys with vouchers until the transaction ends; before anything else is locked, and in
-- the order of their digests.
-- Takes keys.
select pg_advisory_xact_lock(7202613, w.digest)
from (
    select distinct hashtext(k.key) as digest from unnest(%(keys)s::text[]) as k(key) order by digest
) w
