-- How many people have a golden row.
select count(*) from profile.golden
