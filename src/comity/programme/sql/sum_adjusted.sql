-- What a maker has adjusted in a period, given and taken, also what waits.
-- Takes maker, programme and period. Returns the points. Relies on adjustment_by_maker.
select coalesce(sum(abs(points)), 0)::bigint
from programme.adjustment
where maker = %(maker)s and programme = %(programme)s and period = %(period)s and state <> 'rejected'
