-- The type each attribute has had, retired ones too: a column keeps its type. Returns name and type.
select distinct on (name) name, body ->> 'type' as type
from definitions.document
where kind = 'attribute'
order by name, version desc
