-- Records of persons that purchases wait for, longest waiting first.
-- Takes limit_max. Returns RecordReference.
select r.person_system as system, r.person_stream as stream, r.person_external_id as external_id
from activity.purchase p
join activity.report r using (purchase_id)
where p.profile_id is null and r.person_external_id is not null
group by 1, 2, 3
order by min(p.purchase_id)
limit %(limit_max)s
