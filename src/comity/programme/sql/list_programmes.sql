-- The programmes in which a purchase was decided.
-- Takes purchase_id. Returns programme.
select programme from programme.earning where purchase_id = %(purchase_id)s order by programme
