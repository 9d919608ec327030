-- Let an alias be a member of their own again, with those who go along: they have shared what the alias has shared.
-- Takes member_id, its account_id, follower_ids, the levels of somebody without points (tier,
-- further_tiers) and parted_at. Returns nothing.
update programme.member m
set merged_into = case when m.member_id <> r.member_id then r.member_id end,
    merged_at = case when m.member_id <> r.member_id then m.merged_at end,
    merged_since = case when m.member_id <> r.member_id then least(m.merged_since, r.merged_since) end,
    merged_via = case
        when m.member_id <> r.member_id then m.merged_via || r.merged_via || %(account_id)s::bigint
        else '{}'
    end,
    tier = case when m.member_id = r.member_id then %(tier)s::text else m.tier end,
    further_tiers = case when m.member_id = r.member_id then %(further_tiers)s::jsonb else m.further_tiers end,
    qualifying_points = case when m.member_id = r.member_id then 0 else m.qualifying_points end,
    tier_since = case
        when m.member_id <> r.member_id then m.tier_since
        when %(tier)s::text is not null then %(parted_at)s::timestamptz
    end
from programme.member r
where r.member_id = %(member_id)s and (m.member_id = r.member_id or m.member_id = any(%(follower_ids)s::bigint[]))
