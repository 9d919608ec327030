-- Who reads a page that has dead rows and less room than this tidies it on the way. A first load leaves more room than this, so
-- that pages are tidied once in several versions and not after each.
alter table profile.observation set (fillfactor=90);
alter table profile.golden set (fillfactor=90);
