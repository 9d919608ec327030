-- Note where members stand on their ladders.
-- Takes a JSON array of {member_id, tier, further_tiers, qualifying_points, due_on}, ladders_key and the time.
update programme.member m
set tier = w.tier,
    tier_since = case when w.tier is distinct from m.tier then %(now)s else m.tier_since end,
    further_tiers = w.further_tiers,
    qualifying_points = w.qualifying_points,
    tiers_due_on = w.due_on,
    ladders_key = %(ladders_key)s
from jsonb_to_recordset(%(members)s) as w(
    member_id bigint, tier text, further_tiers jsonb, qualifying_points bigint, due_on date)
where m.member_id = w.member_id
