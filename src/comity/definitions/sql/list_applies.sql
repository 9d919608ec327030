-- Who applied what when, newest first.
select apply_id, revision, author, applied_at, summary
from definitions.apply
order by apply_id desc
limit %(count_max)s
