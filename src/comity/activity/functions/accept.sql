-- Take reports of purchases in.
-- Takes a JSON array of reports, a JSON array of profile ids beside it, and the time. Returns one row per report, in
-- order: the fact, whether it is new, whether the report differs from it (and did not say so before), whether the fact
-- got its profile just now, and whether it says something else now: the first report decides what the fact says.
create or replace function activity.accept(reports jsonb, profile_ids jsonb, accepted_at timestamptz)
returns table (
    purchase_id bigint, business_key text, profile_id uuid, occurred_at timestamptz, amount_minor bigint,
    currency text, system text, stream text, external_id text, is_new boolean, is_differing boolean,
    is_news boolean, is_recorded boolean, is_cancelled boolean, details jsonb, is_changed boolean
)
language plpgsql as $$
#variable_conflict use_column
declare
    systems text[];
    streams text[];
    external_ids text[];
    keys text[];          -- of the fact each report speaks of
    profiles uuid[];
    person_systems text[];
    person_streams text[];
    person_external_ids text[];
    times timestamptz[];
    amounts bigint[];
    currencies text[];
    cancels boolean[];
    detail_texts text[];
    facts bigint[];       -- known before, or drawn for the first report of a new fact, else null
    is_drawn boolean[];
    is_repeated boolean[];
    attached bigint[];
    changed bigint[] := '{}';
begin
    select array_agg(w.system order by w.place), array_agg(w.stream order by w.place),
           array_agg(w.external_id order by w.place), array_agg(w.key order by w.place),
           array_agg(w.profile_id order by w.place), array_agg(w.person ->> 'system' order by w.place),
           array_agg(w.person ->> 'stream' order by w.place), array_agg(w.person ->> 'external_id' order by w.place),
           array_agg(w.occurred_at order by w.place), array_agg(w.amount_minor order by w.place),
           array_agg(w.currency order by w.place), array_agg(coalesce(w.is_cancelled, false) order by w.place),
           array_agg(w.details::text order by w.place)
    into systems, streams, external_ids, keys, profiles, person_systems, person_streams, person_external_ids, times,
         amounts, currencies, cancels, detail_texts
    from (
        select r.*, p.profile_id,
               -- A report speaks of one fact for good, whatever key it comes with later.
               first_value(coalesce(r.business_key, r.system || ':' || r.external_id))
                   over (partition by r.system, r.stream, r.external_id order by r.place) as key
        from rows from (
            jsonb_to_recordset(reports) as (
                system text, stream text, external_id text, business_key text, person jsonb, occurred_at timestamptz,
                amount_minor bigint, currency text, is_cancelled boolean, details jsonb),
            jsonb_array_elements_text(profile_ids)
        ) with ordinality as r(system, stream, external_id, business_key, person, occurred_at, amount_minor, currency,
                               is_cancelled, details, profile, place)
        cross join lateral (select r.profile::uuid as profile_id) p
    ) w;

    select array_agg(coalesce(k.fact, case when k.is_first then nextval('activity.purchase_purchase_id_seq') end)
                     order by k.place),
           array_agg(k.fact is null and k.is_first order by k.place),
           array_agg(k.is_repeated order by k.place)
    into facts, is_drawn, is_repeated
    from (
        select w.place, coalesce(r.purchase_id, p.purchase_id) as fact,
               row_number() over (partition by w.key order by w.place) = 1 as is_first,
               r.purchase_id is not null and (r.amount_minor, r.currency, r.is_cancelled)
                   = (w.amount_minor, w.currency, w.is_cancelled) as is_repeated
        from unnest(systems, streams, external_ids, keys, amounts, currencies, cancels) with ordinality
            as w(system, stream, external_id, key, amount_minor, currency, is_cancelled, place)
        left join activity.report r on (r.system, r.stream, r.external_id) = (w.system, w.stream, w.external_id)
        left join activity.purchase p on p.business_key = w.key
    ) k;

    insert into activity.purchase (
        purchase_id, business_key, profile_id, occurred_at, amount_minor, currency, is_cancelled, details, first_system,
        first_stream, first_external_id, recorded_at)
    select w.fact, w.key, w.profile_id, w.occurred_at, w.amount_minor, w.currency, w.is_cancelled, w.details::jsonb,
           w.system, w.stream, w.external_id, accepted_at
    from unnest(facts, is_drawn, keys, profiles, times, amounts, currencies, cancels, detail_texts, systems, streams,
                external_ids)
        as w(fact, is_drawn, key, profile_id, occurred_at, amount_minor, currency, is_cancelled, details, system,
             stream, external_id)
    where w.is_drawn
    order by w.key
    on conflict (business_key) do nothing;

    insert into activity.report as r (
        system, stream, external_id, purchase_id, person_system, person_stream, person_external_id, occurred_at,
        amount_minor, currency, is_cancelled, is_differing, reported_at)
    select distinct on (w.system, w.stream, w.external_id)
           w.system, w.stream, w.external_id, p.purchase_id, w.person_system, w.person_stream, w.person_external_id,
           w.occurred_at, w.amount_minor, w.currency, w.is_cancelled,
           (w.amount_minor, w.currency, w.is_cancelled) <> (p.amount_minor, p.currency, p.is_cancelled), accepted_at
    from unnest(facts, is_drawn, keys, person_systems, person_streams, person_external_ids, times, amounts, currencies,
                cancels, systems, streams, external_ids) with ordinality
        as w(fact, is_drawn, key, person_system, person_stream, person_external_id, occurred_at, amount_minor, currency,
             is_cancelled, system, stream, external_id, place)
    join lateral (
        -- By number where it was known; by key where it was drawn, here or by someone who was quicker.
        select * from activity.purchase k where k.purchase_id = w.fact and not w.is_drawn
        union all
        select * from activity.purchase k where k.business_key = w.key and (w.fact is null or w.is_drawn)
    ) p on true
    order by w.system, w.stream, w.external_id, w.place desc
    on conflict (system, stream, external_id) do update
    set person_system = coalesce(excluded.person_system, r.person_system),
        person_stream = coalesce(excluded.person_stream, r.person_stream),
        person_external_id = coalesce(excluded.person_external_id, r.person_external_id),
        occurred_at = excluded.occurred_at, amount_minor = excluded.amount_minor, currency = excluded.currency,
        is_cancelled = excluded.is_cancelled, is_differing = excluded.is_differing, reported_at = excluded.reported_at
    where (r.person_system, r.person_stream, r.person_external_id, r.occurred_at, r.amount_minor, r.currency,
           r.is_cancelled)
        is distinct from (
            coalesce(excluded.person_system, r.person_system), coalesce(excluded.person_stream, r.person_stream),
            coalesce(excluded.person_external_id, r.person_external_id), excluded.occurred_at, excluded.amount_minor,
            excluded.currency, excluded.is_cancelled);

    if not (select bool_and(u.is_drawn) from unnest(is_drawn) as u(is_drawn)) then
        with corrected as (
            update activity.purchase p
            set occurred_at = w.occurred_at, amount_minor = w.amount_minor, currency = w.currency,
                is_cancelled = w.is_cancelled, details = w.details
            from (
                select distinct on (r.purchase_id)
                       r.purchase_id, w.occurred_at, w.amount_minor, w.currency, w.is_cancelled,
                       w.details::jsonb as details
                from unnest(systems, streams, external_ids, times, amounts, currencies, cancels, detail_texts)
                    with ordinality
                    as w(system, stream, external_id, occurred_at, amount_minor, currency, is_cancelled, details, place)
                join activity.report r on (r.system, r.stream, r.external_id) = (w.system, w.stream, w.external_id)
                join activity.purchase k on k.purchase_id = r.purchase_id
                    and (k.first_system, k.first_stream, k.first_external_id) = (w.system, w.stream, w.external_id)
                order by r.purchase_id, w.place desc
            ) w
            where p.purchase_id = w.purchase_id
              and (p.occurred_at, p.amount_minor, p.currency, p.is_cancelled, p.details)
                  is distinct from (w.occurred_at, w.amount_minor, w.currency, w.is_cancelled, w.details)
            returning p.purchase_id
        )
        select coalesce(array_agg(c.purchase_id), '{}') into changed from corrected c;
        update activity.report r
        set is_differing = (r.amount_minor, r.currency, r.is_cancelled)
            <> (p.amount_minor, p.currency, p.is_cancelled)
        from activity.purchase p
        where p.purchase_id = any(changed) and r.purchase_id = p.purchase_id
          and r.is_differing <> ((r.amount_minor, r.currency, r.is_cancelled)
              <> (p.amount_minor, p.currency, p.is_cancelled));
    end if;

    with taken as (
        update activity.purchase p set profile_id = w.profile_id
        from (
            select distinct on (r.purchase_id) r.purchase_id, w.profile_id
            from unnest(systems, streams, external_ids, profiles) with ordinality
                as w(system, stream, external_id, profile_id, place)
            join activity.report r on (r.system, r.stream, r.external_id) = (w.system, w.stream, w.external_id)
            where w.profile_id is not null
            order by r.purchase_id, w.place
        ) w
        where p.purchase_id = w.purchase_id and p.profile_id is null
        returning p.purchase_id
    )
    select coalesce(array_agg(t.purchase_id), '{}') into attached from taken t;

    return query
    select a.purchase_id, a.business_key, a.profile_id, a.occurred_at, a.amount_minor, a.currency, a.first_system,
           a.first_stream, a.first_external_id, a.is_new, a.is_differing, a.is_differing and not a.is_repeated,
           a.is_first and (a.is_fresh and a.profile_id is not null
                           or a.purchase_id in (select u.id from unnest(attached) as u(id))),
           a.is_cancelled, a.details,
           a.is_first and a.profile_id is not null and a.purchase_id in (select u.id from unnest(changed) as u(id))
    from (
        select p.*, w.place, w.is_repeated,
               coalesce(w.is_drawn and p.purchase_id = w.fact, false) as is_new,
               (w.amount_minor, w.currency, w.is_cancelled)
                   <> (p.amount_minor, p.currency, p.is_cancelled) as is_differing,
               bool_or(w.is_drawn and p.purchase_id = w.fact) over (partition by p.purchase_id) as is_fresh,
               row_number() over (partition by p.purchase_id order by w.place) = 1 as is_first
        from unnest(systems, streams, external_ids, facts, is_drawn, is_repeated, amounts, currencies, cancels)
            with ordinality
            as w(system, stream, external_id, fact, is_drawn, is_repeated, amount_minor, currency, is_cancelled, place)
        join activity.report r on (r.system, r.stream, r.external_id) = (w.system, w.stream, w.external_id)
        join activity.purchase p on p.purchase_id = r.purchase_id
    ) a
    order by a.place;
end
$$;
