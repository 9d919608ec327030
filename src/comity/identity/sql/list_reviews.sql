-- List doubtful links that wait, oldest first. Takes the review to go on after, and a limit. Relies on review_open.
select review_id, kind, rule, value, record_a, record_b, detail, opened_at
from identity.review
where closed_at is null and review_id > %(after)s
order by review_id
limit %(limit)s
