-- Say whether they are empty.
select not exists (select from profile.observation) and not exists (select from profile.golden)
