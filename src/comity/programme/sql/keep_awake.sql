-- Let the server see that a transaction is still wanted; one that idles too long is ended.
select
