-- Which of these purchases have earned in a programme.
-- Takes programme, purchase_ids. Returns purchase_id.
select purchase_id from programme.earning
where programme = %(programme)s and purchase_id = any(%(purchase_ids)s::bigint[])
