-- Let earnings go to the member of the profiles that their purchases belong to now.
-- Takes programme, source_member_id, target_member_id and profile_ids. Returns the purchase ids.
update programme.earning e set member_id = %(target_member_id)s
from activity.v_purchase p
where e.programme = %(programme)s and e.member_id = %(source_member_id)s and p.purchase_id = e.purchase_id
  and p.profile_id = any(%(profile_ids)s::uuid[])
returning e.purchase_id
