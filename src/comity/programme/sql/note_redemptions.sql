-- Remember when members last redeemed.
-- Takes member ids and the time. Returns nothing.
update programme.member set last_redemption_at = %(now)s where member_id = any(%(member_ids)s::bigint[])
