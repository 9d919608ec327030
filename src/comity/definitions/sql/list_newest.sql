-- Kind, name, version, hash and state of the newest version of every document, retired ones too.
select distinct on (kind, name) kind, name, version, sha256, is_retired
from definitions.document
order by kind, name, version desc
