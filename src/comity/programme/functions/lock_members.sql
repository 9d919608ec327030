-- Find the living members behind profiles, aliases followed, and keep others from changing or merging them.
-- Takes a JSON array of {profile_id, programme} and the time. Returns a row per wish that has a member; place from 0.
-- Locks in the order of member ids. Who is merged while we wait for the lock has become an alias: then all is let go
-- and looked for again, so that the order holds.
create or replace function programme.lock_members(wishes jsonb, moment timestamptz)
returns table (
    place int, member_id bigint, profile_id uuid, programme text, account_id bigint, tier text,
    further_tiers jsonb, programme_account_id bigint, today date, first_kind text, is_spendable boolean,
    further_kinds jsonb, accounts jsonb, is_tier_due boolean
)
language plpgsql as $$
#variable_conflict use_column
declare
    wished bigint[];    -- the living member each wish means, or null
    living bigint[];
begin
    for attempt in 1..10 loop
        begin
            select array_agg(coalesce(m.merged_into, m.member_id) order by w.place) into wished
            from rows from (jsonb_to_recordset(wishes) as (profile_id uuid, programme text)) with ordinality
                as w(profile_id, programme, place)
            left join programme.member m on (m.profile_id, m.programme) = (w.profile_id, w.programme);
            living := array(select distinct u.id from unnest(wished) as u(id) where u.id is not null);
            perform from programme.member m where m.member_id = any(living) order by m.member_id for no key update;
            if exists (
                select from programme.member m where m.member_id = any(living) and m.merged_into is not null
            ) then
                raise exception using errcode = 'CM001';
            end if;
            return query
            select (w.place - 1)::int, m.member_id, m.profile_id, m.programme, m.account_id, m.tier,
                   m.further_tiers, p.account_id, (moment at time zone p.timezone)::date, p.kind, p.is_spendable,
                   p.further_kinds,
                   case when p.further_kinds is not null then (
                       select jsonb_object_agg(a.kind, a.account_id)
                       from programme.member_account a
                       where a.member_id = m.member_id
                   ) end,
                   coalesce(m.tiers_due_on <= (moment at time zone p.timezone)::date, false)
            from unnest(wished) with ordinality as w(member_id, place)
            join programme.member m using (member_id)
            join programme.programme p using (programme);
            return;
        exception when sqlstate 'CM001' then
            null;
        end;
    end loop;
    raise exception 'Members are merged faster than they can be held' using errcode = 'serialization_failure';
end
$$;
