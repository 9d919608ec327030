-- Keep others from correcting purchases, and from returning some of them at the counter, until the transaction ends.
-- Takes business_keys. Returns them.
select business_key from activity.purchase
where business_key = any(%(business_keys)s::text[])
order by business_key
for no key update
