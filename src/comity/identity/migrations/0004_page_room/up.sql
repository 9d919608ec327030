-- Who reads a page that has dead rows and less room than this tidies it on the way. A first load leaves more room in the pages
-- of records than this, so that they are tidied once in several versions and not after each. Keys come and go in place of
-- changing, so vacuum alone tidies theirs.
alter table identity.record set (fillfactor=90);
alter table identity.identifier set (fillfactor=90);
